"""Make a token for a page's widget."""

from __future__ import annotations

import click


@click.command()
def token() -> None:
    """Print a token for a page's widget (attribute data-token), signed with HELP_API_KEY.

    It opens nothing but the asking, for HELP_TOKEN_MAX_AGE seconds. A site mints one for each
    page it sends: rag.server.keys.mint_token, or POST /api/help/token with the key.
    """
    from rag.server.keys import mint_token
    from rag.server.settings import load_server_settings

    click.echo(mint_token(load_server_settings()))

"""Serve the help pages to programs."""

from __future__ import annotations

import click

PORT = 8765


@click.command()
@click.option("--http", is_flag=True, help="Serve over streamable HTTP, on this machine alone.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65_535))
def mcp(http: bool, port: int) -> None:
    """Serve the help pages over the Model Context Protocol.

    Two tools: search_help and ask_help. Without --http it speaks over standard input and output,
    as the programs that start it expect.
    """
    from contextlib import suppress

    from rag.core.errors import ConfigError, needs_extra

    try:
        from rag import mcp_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        raise ConfigError(needs_extra("The MCP server", "mcp")) from None
    with suppress(KeyboardInterrupt):
        mcp_server.run(port if http else None, lambda line: click.echo(line, err=True))

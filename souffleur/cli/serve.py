"""Serve: to browsers over HTTP and WebSocket, to programs over MCP, with tokens for pages."""

from __future__ import annotations

import click

MCP_PORT = 8765


@click.command()
@click.option("--host", help="Address to listen on.  [default: HELP_HOST, 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0: a free one.  [default: HELP_PORT, 8000]",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes that answer.",
)
@click.option("--demo/--no-demo", default=True, show_default=True, help="Show a page to try it on.")
@click.option("--root-path", default="", help="Path under which a proxy publishes the server.")
@click.pass_context
def serve(
    ctx: click.Context, host: str | None, port: int | None, workers: int, demo: bool, root_path: str
) -> None:
    """Answer over HTTP and WebSocket until Ctrl-C.

    Before pages are indexed it says so at /readyz, and begins to answer when they are. Other
    machines reach it only when --host names an address of this one, 0.0.0.0 for all of them.
    """
    from rag.server.running import Serving, run

    debug = bool(ctx.find_root().params.get("debug"))
    run(Serving(host, port, workers, demo, root_path, debug), say=click.echo)


@click.command()
@click.option("--http", is_flag=True, help="Serve over streamable HTTP, on this machine alone.")
@click.option("--port", default=MCP_PORT, show_default=True, type=click.IntRange(0, 65_535))
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


@click.command()
def token() -> None:
    """Print a token for a page's widget (attribute data-token), signed with HELP_API_KEY.

    It opens nothing but the asking, for HELP_TOKEN_MAX_AGE seconds. A site mints one for each
    page it sends: rag.server.keys.mint_token, or POST /api/help/token with the key.
    """
    from rag.server.security import mint_token
    from rag.server.settings import load_server_settings

    click.echo(mint_token(load_server_settings()))

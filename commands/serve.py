"""Answer over HTTP and WebSocket, with a widget for the site's pages."""

from __future__ import annotations

import click


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

"""Switch parts on and off, and clear the answers kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.output import counted, print_json

if TYPE_CHECKING:
    from rag.config.settings import Settings

CLEAR_S = 30.0
NAMES = ("cache", "streaming", "embeddings")


@click.command()
@click.option("--enable-cache", is_flag=True, help="Keep answers.")
@click.option("--disable-cache", is_flag=True, help="Look up and keep no answer.")
@click.option("--clear-cache", is_flag=True, help="Remove the answers kept; those pinned stay.")
@click.option("--enable-streaming", is_flag=True, help="Show answers as they are written.")
@click.option("--disable-streaming", is_flag=True, help="Show answers when they are whole.")
@click.option("--enable-embeddings", is_flag=True, help="Search by vectors and by words.")
@click.option("--disable-embeddings", is_flag=True, help="Search by words alone.")
@click.option("--setup-elasticsearch", is_flag=True, help="Create the index; safe to repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print the resulting state as JSON.")
def optimize(clear_cache: bool, setup_elasticsearch: bool, as_json: bool, **flags: bool) -> None:
    """Switch parts on and off; without an option, say what is on.

    A switch is saved in HELP_DATA_DIR and survives; an environment variable or .env wins over it.
    """
    from rag.config import overruling, states_of, switch

    settings, without_effect = switch(_wanted(flags))
    for name in without_effect:
        click.echo(f"{name}: saved, but {overruling(name)} wins over it.", err=True)
    if setup_elasticsearch:
        setup(settings, quiet=as_json)
    states = states_of(settings)
    cleared = _clear(settings) if clear_cache else None
    if as_json:
        print_json({**states, **({} if cleared is None else {"cleared": cleared})})
        return
    for name, on in states.items():
        click.echo(f"{name}: {'on' if on else 'off'}")
    if cleared is not None:
        click.echo(f"{counted(cleared, 'answer')} removed")


def setup(settings: Settings, *, quiet: bool = False) -> None:
    """Create the index in Elasticsearch, saying what is done. Raises: ConfigError."""
    from rag.api import index_meta
    from rag.core.errors import ConfigError
    from rag.encoders import open_encoder

    if not settings.uses_elasticsearch:
        raise ConfigError(
            "ELASTICSEARCH_URL is not set. Set it in the environment or in .env, for example:"
            " ELASTICSEARCH_URL=http://127.0.0.1:9200"
        )
    from rag.stores.elasticsearch import setup as create

    for line in create(settings, index_meta(open_encoder(settings))):
        click.echo(line, err=quiet)


def _wanted(flags: dict[str, bool]) -> dict[str, bool]:
    """Return what is to be on and off. Raises: UsageError for both at once."""
    wanted: dict[str, bool] = {}
    for name in NAMES:
        on, off = flags[f"enable_{name}"], flags[f"disable_{name}"]
        if on and off:
            raise click.UsageError(f"--enable-{name} and --disable-{name} contradict each other.")
        if on or off:
            wanted[name] = on
    return wanted


def _clear(settings: Settings) -> int:
    from rag.stores import open_answer_store

    store = open_answer_store(settings)
    try:
        return store.clear(CLEAR_S, keep_pinned=True)
    finally:
        store.close()

"""What a site's answers rest on: settings, disk, encoder, index, pages, kept answers."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson
from dotenv.parser import parse_stream
from pydantic import AliasChoices, BaseModel
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from rag.api import index_meta
from rag.config.settings import SWITCHES_FILE, Settings, given, is_address, load_settings, shown
from rag.core.documents import IndexMeta, PageRecord, check_meta
from rag.core.errors import ConfigError, EncoderError
from rag.core.invocation import command, index_command
from rag.core.protocols import Store
from rag.core.records import Check
from rag.diagnostics import failed
from rag.encoders import open_encoder
from rag.generators import open_generators
from rag.stores import INDEX_FILE, open_answer_store, open_store

ENV_FILE = Path(".env")
OURS = ("HELP_", "AI_ASSISTANT_", "AI_ENABLE_", "AI_CACHE_", "AI_EMBEDDING_")
OTHERS = ("OLLAMA_", "ELASTICSEARCH_", "OPENAI_", "ANTHROPIC_", "AI_")
SIMILAR = 0.85  # above: a misspelt name, and not another program's
PROBE_BYTES = 1_000_000
LEAST_FREE_BYTES = 300_000_000  # and the index once more: a full rebuild writes beside the old one
ENCODER_S = 5.0
STORE_S = 3.0
HASHING_S = 6.0
SHOWN_PAGES = 3
QUESTION = "Comment créer un client ?"
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Setting:
    """Hold one setting in force: its name, its value as it may be shown, where it was set."""

    name: str
    value: str
    origin: str


def all_settings(settings: Settings) -> list[Setting]:
    """Return the settings in force, the server's too, each with where it comes from."""
    from rag.server.settings import load_server_settings

    here = settings.data_dir
    return [*settings_in_force(settings, here), *settings_in_force(load_server_settings(), here)]


def settings_in_force(settings: BaseSettings, data_dir: Path) -> list[Setting]:
    """Return every setting with the place that named it first; secrets stay hidden."""
    sources, names = _sources(type(settings), data_dir), _aliases(type(settings))
    return [
        Setting(names[field][0], _value(settings, field), _origin(settings, field, sources))
        for field in type(settings).model_fields
    ]


def unread_names() -> Iterator[str]:
    """Yield, for each name that looks like a setting and sets nothing, what to do about it."""
    known = _known_names()
    for place, names in {"the environment": set(os.environ), ".env": _env_file_names()}.items():
        for name in sorted(names):
            upper = name.upper()
            if upper in known or not upper.startswith((*OURS, *OTHERS)):
                continue
            near = get_close_matches(upper, known, 1, SIMILAR)
            if near:
                yield f"{name} in {place} sets nothing: write {near[0]}"
            elif upper.startswith("HELP_"):
                yield f"{name} in {place} sets nothing: remove it, or see docs/settings.md"


def unread_lines(path: Path = ENV_FILE) -> list[int]:
    """Return the numbers of the lines of a `.env` that cannot be read."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        return [part.original.line for part in parse_stream(file) if part.error]


def _origin(settings: BaseSettings, field: str, sources: Mapping[str, Mapping[str, Any]]) -> str:
    names = _aliases(type(settings))[field]
    for place, values in sources.items():
        for name in names:
            if values.get(name.lower()) not in {None, ""}:
                return place if name == names[0] else f"{place} ({name})"
    default = type(settings).model_fields[field].default
    return "default" if getattr(settings, field) == default else "given"


def _sources(kind: type[BaseSettings], data_dir: Path) -> dict[str, Mapping[str, Any]]:
    """Return what each place sets, by names in lower case, in the order in which they count."""
    switches: dict[str, Any] = {}
    path = data_dir / SWITCHES_FILE
    if kind is Settings and path.is_file():
        switches = {name.lower(): value for name, value in orjson.loads(path.read_bytes()).items()}
    return {
        "environment": EnvSettingsSource(kind).env_vars,
        "the program around": {name.lower(): text for name, text in given().items()},
        ".env": DotEnvSettingsSource(kind).env_vars,
        "saved switch": switches,
    }


def _aliases(kind: type[BaseModel]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        found[name] = (
            list(map(str, alias.choices))
            if isinstance(alias, AliasChoices)
            else [str(alias or name).upper()]
        )
    return found


def _value(settings: BaseSettings, field: str) -> str:
    value = getattr(settings, field)
    if value is None or value == "":
        return "unset"
    return str(value).lower() if isinstance(value, bool) else shown(str(value))


def _known_names() -> set[str]:
    from rag.server.settings import ServerSettings

    kinds: tuple[type[BaseSettings], ...] = (Settings, ServerSettings)
    return {name for kind in kinds for names in _aliases(kind).values() for name in names}


def _env_file_names() -> set[str]:
    try:
        with ENV_FILE.open(encoding="utf-8", errors="replace") as file:
            return {part.key for part in parse_stream(file) if part.key}
    except OSError:
        return set()


def settings_checks() -> tuple[Settings | None, list[Check]]:
    """Read the settings. Returns them, None when they cannot be read, and what is wrong."""
    from rag.server.settings import load_server_settings

    try:
        settings = load_settings()
        load_server_settings()
        faults = list(_setting_faults(settings))
    except ConfigError as error:
        return None, [failed("settings", error, f"correct it, then run: {command('doctor')}")]
    if not faults:
        return settings, [Check("settings", True, "all can be read")]
    cure = "correct it in the environment or in .env"
    return settings, [Check("settings", False, "; ".join(faults), cure)]


def _setting_faults(settings: Settings) -> Iterator[str]:
    yield from unread_names()
    for number in unread_lines():
        yield f"line {number} of {ENV_FILE} cannot be read: write NAME=value"
    urls = {"OLLAMA_URL": settings.ollama_url, "OPENAI_BASE_URL": settings.openai_url}
    if settings.elasticsearch_url:
        urls["ELASTICSEARCH_URL"] = settings.elasticsearch_url
    for name, url in urls.items():
        if not is_address(url):
            yield f"{name} is no server's address: {shown(url)}"
    try:
        open_generators(settings)
    except ConfigError as error:
        yield str(error)


def disk_checks(settings: Settings) -> Iterator[Check]:
    """Write a megabyte into the data folder, and see how much more would fit."""
    folder = _existing(settings.data_dir.absolute())
    cure = f"free disk space, make {settings.data_dir} writable, or set HELP_DATA_DIR"
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix="doctor.") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Check("disk", False, f"{folder} takes no new file: {error.strerror}", cure)
        return
    index = settings.data_dir / INDEX_FILE
    wanted = LEAST_FREE_BYTES + (index.stat().st_size if index.is_file() else 0)
    detail = f"{megabytes(free)} free in {folder}"
    if free < wanted:
        yield Check("disk", False, f"{detail}, {megabytes(wanted)} are wanted", cure)
    else:
        yield Check("disk", True, detail)


def index_checks(settings: Settings) -> Iterator[Check]:
    """Encode a question, then see whether the index fits the encoder and the pages on the disk."""
    meta: IndexMeta | None = None
    try:
        meta, check = _encoded(settings)
        yield check
    except (ConfigError, EncoderError) as error:
        yield failed("encoder", error)
    with closing(open_store(settings)) as store:
        found = store.meta(STORE_S)
        if found is None:
            yield Check(
                "index", False, f"nothing is indexed in {_place(settings)}", index_command()
            )
            return
        if meta is not None:
            check_meta(found, meta)
        records = store.records()
        yield Check("index", True, index_line(store, found))
        yield pages_check(records)


def index_line(store: Store, meta: IndexMeta) -> str:
    """Return what an index holds, who encoded it, and how old it is."""
    held = f"{store.count()} chunks of {len(store.records())} pages"
    return f"{held}, encoder {meta.encoder}, {meta.dimension} dimensions{_age(store)}"


def cache_checks(settings: Settings) -> Iterator[Check]:
    """Ask for the number of the kept answers."""
    if not settings.cache_enabled:
        yield Check("cache", True, "off")
        return
    with closing(open_answer_store(settings)) as store:
        found = store.stats(STORE_S)
    yield Check("cache", True, f"{found.entries} answers kept, {megabytes(found.bytes)}")


def pages_check(records: Mapping[str, PageRecord]) -> Check:
    """Compare the files under the folders that were indexed with what the index has of them."""
    end = time.monotonic() + HASHING_S
    changed: list[str] = []
    gone: list[str] = []
    roots = {record.root for record in records.values()}
    here = {root for root in roots if root and Path(root).is_dir()}
    compared = 0
    for record in records.values():
        if record.root not in here or time.monotonic() > end:
            continue
        compared += 1
        path = _file(record)
        if path is None:
            gone.append(record.id)
        elif hashlib.sha256(path.read_bytes()).hexdigest() != record.hash:
            changed.append(record.id)
    elsewhere = f", {len(records) - compared} not compared" if compared < len(records) else ""
    detail = f"{compared - len(changed) - len(gone)} as they were indexed{elsewhere}"
    faults = [*_listed("changed since", changed), *_listed("gone, but still answered from", gone)]
    if not faults:
        return Check("pages", True, detail)
    return Check("pages", False, "; ".join([*faults, detail]), _index_command(sorted(here)))


def _encoded(settings: Settings) -> tuple[IndexMeta | None, Check]:
    if not settings.embeddings_enabled:
        return None, Check("encoder", True, "off (AI_ENABLE_EMBEDDINGS): BM25 alone is searched")
    encoder = open_encoder(settings, ENCODER_S)
    start = time.perf_counter()
    encoder.encode_queries([QUESTION], ENCODER_S)
    spent_ms = (time.perf_counter() - start) * 1000
    detail = f"{encoder.name}, {encoder.dimension} dimensions, {spent_ms:.1f} ms a question"
    return index_meta(encoder), Check("encoder", True, detail)


def _file(record: PageRecord) -> Path | None:
    """Return a page's file; an id is in composed letters, a file's name may not be."""
    names = (record.id, unicodedata.normalize("NFD", record.id))
    paths = (Path(record.root, name) for name in names)
    return next((path for path in paths if path.is_file()), None)


def _listed(what: str, pages: Sequence[str]) -> Iterator[str]:
    if pages:
        more = ", …" if len(pages) > SHOWN_PAGES else ""
        yield f"{len(pages)} {what} ({', '.join(sorted(pages)[:SHOWN_PAGES])}{more})"


def _index_command(folders: Sequence[str]) -> str:
    quoted = [f'"{one}"' if sys.platform == "win32" else shlex.quote(one) for one in folders]
    return command(f"index {' '.join(quoted)}")


def _age(store: Store) -> str:
    published = store.published_at(STORE_S)
    if published is None:
        return ""
    spent_s = max(0.0, time.time() - published)
    days = spent_s / DAY_S
    hours = spent_s / 3600
    age = f"{hours:.0f} hours" if hours >= 2 else f"{spent_s / 60:.0f} minutes"
    return f", made {days:.0f} days ago" if days >= 2 else f", made {age} ago"


def _place(settings: Settings) -> str:
    if settings.uses_elasticsearch:
        return f"Elasticsearch under {settings.elasticsearch_index!r}"
    return str(settings.data_dir / INDEX_FILE)


def _existing(folder: Path) -> Path:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def megabytes(number: float) -> str:
    """Return bytes as a person reads them."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"

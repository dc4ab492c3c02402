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
from pathlib import Path

from rag.api import index_meta
from rag.config.settings import Settings, is_address, load_settings, shown
from rag.core.documents import IndexMeta, PageRecord, check_meta
from rag.core.errors import ConfigError, EncoderError
from rag.core.invocation import command, index_command
from rag.core.protocols import Store
from rag.core.records import Check
from rag.diagnostics.doctor.check import failed
from rag.diagnostics.doctor.origins import ENV_FILE, unread_lines, unread_names
from rag.encoders import open_encoder
from rag.generators import open_generators
from rag.stores import INDEX_FILE, open_answer_store, open_store

PROBE_BYTES = 1_000_000
LEAST_FREE_BYTES = 300_000_000  # and the index once more: a full rebuild writes beside the old one
ENCODER_S = 5.0
STORE_S = 3.0
HASHING_S = 6.0
SHOWN_PAGES = 3
QUESTION = "Comment créer un client ?"
DAY_S = 86_400.0


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

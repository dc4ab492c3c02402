"""Everything that Souffleur keeps, in one archive: index, kept answers, journal, saved switches.

The journal's key is there too: without it, the questions to come would match none of before.

The archive holds SQLite files whatever store it came from, and is restored into whatever store
the settings name: it also carries an index from one kind of store to the other.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from rag.config.settings import SWITCHES_FILE, Settings
from rag.copying import Copied, OnProgress, copy_all
from rag.core.errors import HelpError
from rag.noting import KEY_FILE, make_key
from rag.stores import INDEX_FILE, JOURNAL_FILE

FORMAT = "souffleur-backup 1"
FORMAT_FILE = "FORMAT"
FILES = (INDEX_FILE, JOURNAL_FILE, KEY_FILE, SWITCHES_FILE)


def back_up(
    settings: Settings, archive: Path, on_progress: OnProgress = lambda done, total: None
) -> Copied:
    """Write an archive; it is whole or not there. Raises: IndexMissing, HelpError."""
    with TemporaryDirectory(prefix="souffleur-backup") as name:
        folder = Path(name)
        copied = copy_all(settings, _embedded(settings, folder), on_progress)
        for file in (KEY_FILE, SWITCHES_FILE):
            with suppress(FileNotFoundError):
                shutil.copy(settings.data_dir / file, folder)
        with _explained(archive, "written", "python cli.py backup FILE"):
            _pack(folder, archive)
    return copied


def restore(
    settings: Settings, archive: Path, on_progress: OnProgress = lambda done, total: None
) -> Copied:
    """Put an archive's index in the place of the present one, at once, and add the rest.

    The present index becomes the generation before: `Store.rollback` brings it back. Answers and
    journal records that are there stay, so does the journal's key; saved switches are replaced.
    Raises: HelpError, IndexBusy.
    """
    with TemporaryDirectory(prefix="souffleur-restore") as name:
        folder = Path(name)
        with _explained(archive, "read", "python cli.py restore FILE"):
            _unpack(archive, folder)
        copied = copy_all(_embedded(settings, folder), settings, on_progress)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy(folder / SWITCHES_FILE, settings.data_dir)
        with suppress(FileNotFoundError):
            make_key(settings.data_dir / KEY_FILE, (folder / KEY_FILE).read_bytes())
    return copied


def _embedded(settings: Settings, folder: Path) -> Settings:
    """Return settings whose stores are SQLite files of a folder."""
    nowhere = {"elasticsearch_url": None, "elasticsearch_cloud_id": None}
    return settings.model_copy(update={**nowhere, "data_dir": folder})


def _pack(folder: Path, archive: Path) -> None:
    part = archive.with_name(f"{archive.name}.part")
    try:
        part.touch(0o600)  # it holds the key
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(FORMAT_FILE, FORMAT)
            for name in FILES:
                if (folder / name).exists():
                    packed.write(folder / name, name)
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)


def _unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        held = set(packed.namelist())
        if FORMAT_FILE not in held or packed.read(FORMAT_FILE).decode("ascii") != FORMAT:
            raise zipfile.BadZipFile(f"it is no archive of the format {FORMAT!r}")
        for name in held & set(FILES):  # by their names: nothing lands elsewhere
            packed.extract(name, folder)


@contextmanager
def _explained(archive: Path, done: str, command: str) -> Iterator[None]:
    try:
        yield
    except (OSError, zipfile.BadZipFile, UnicodeError, KeyError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise HelpError(
            f"The archive {archive} cannot be {done}: {said}. Name another file: {command}"
        ) from None

"""Indexing brings an index up to date with its pages, and does no more than that takes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer.pipeline import Report, Skip, run
from rag.config.settings import Settings
from rag.core.errors import ConfigError, CorpusError, IndexBusy, IndexMismatch, IndexMissing
from rag.core.protocols import Store
from rag.encoders import bundled_encoder
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores import open_store
from tests.commands import souffleur, started
from tests.pages import PAGES, CountingEncoder, contents, write_pages
from tests.scripted import wait_until

CREATE = "clients/creer.md"


on_both_stores = pytest.mark.parametrize("settings", ["sqlite", "elasticsearch"], indirect=True)


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that name a store with nothing in it."""
    server = {}
    if getattr(request, "param", "sqlite") == "elasticsearch":
        server["elasticsearch_url"] = request.getfixturevalue("elasticsearch_url")
        server["elasticsearch_index"] = f"{request.getfixturevalue('index_prefix')}aide"
    return Settings(data_dir=tmp_path / "souffleur", _env_file=None, **server)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    yield store
    store.close()


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return write_pages(tmp_path / "pages")


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def index(store: Store, encoder: CountingEncoder, pages: Path) -> Callable[..., Report]:
    """Index these sources, the pages if none is named."""

    def index_sources(*sources: Path, **options: object) -> Report:
        return run(sources or [pages], store, encoder, **options)

    return index_sources


def pages_found(store: Store, question: str) -> set[str]:
    hits = Retriever(store, bundled_encoder()).retrieve(read_question(question), 10).hits
    return {hit.chunk.page for hit in hits if "bm25" in hit.legs}


def test_the_first_run_writes_every_chunk(
    index: Callable[..., Report], store: Store, encoder: CountingEncoder
) -> None:
    report = index()
    assert (report.pages, report.unchanged, report.deleted, report.skipped) == (3, 0, 0, [])
    assert report.chunks == report.written == store.count() >= 5
    assert encoder.passages == sum(len(page.window_ids) for page in store.records().values()) == 3
    assert report.seconds > 0
    assert set(store.records()) == set(PAGES)
    assert pages_found(store, "inventaire") == {"stocks/inventaire.md"}


@on_both_stores
def test_a_second_run_writes_and_encodes_nothing(
    index: Callable[..., Report], store: Store, encoder: CountingEncoder
) -> None:
    first, before = index(), contents(store)
    encoder.passages = 0
    another = store.writer(store.meta(), full=False)
    report = index()  # it would be refused if it began to write
    another.abort()
    assert encoder.passages == report.written == report.deleted == 0
    assert report.unchanged == report.chunks == first.chunks
    assert contents(store) == before


@on_both_stores
def test_a_changed_page_rewrites_its_changed_chunks_alone(
    index: Callable[..., Report], store: Store, encoder: CountingEncoder, pages: Path
) -> None:
    index()
    before, encoder.passages = contents(store), 0
    write_pages(pages, {CREATE: PAGES[CREATE].replace("se confondent", "s'emmêlent")})
    report = index()
    assert report.written == encoder.passages == 1
    assert len(set(contents(store)[CREATE]) - set(before[CREATE])) == 1
    assert pages_found(store, "emmêlent") == {CREATE}
    assert pages_found(store, "confondent") == set()


def test_a_paragraph_put_before_the_others_leaves_them_their_ids(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index()
    before = contents(store)[CREATE]
    write_pages(
        pages, {CREATE: PAGES[CREATE].replace("## Étapes", "## Avant\n\nLire.\n\n## Étapes")}
    )
    assert index().written == 1
    after = contents(store)[CREATE]
    assert set(before) < set(after)
    assert tuple(i for i in after if i in before) == before


@on_both_stores
def test_a_deleted_page_is_found_no_more(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index()
    assert CREATE in pages_found(store, "nouveau client")
    (pages / CREATE).unlink()
    report = index()
    assert (report.deleted, report.written) == (1, 0)
    assert CREATE not in pages_found(store, "nouveau client")
    assert CREATE not in store.records()


def test_a_renamed_page_is_found_under_its_new_name(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index()
    (pages / CREATE).rename(pages / "clients/nouveau.md")
    report = index()
    assert report.deleted == 1
    assert "clients/nouveau.md" in pages_found(store, "nouveau client")
    assert set(store.records()) == {*PAGES, "clients/nouveau.md"} - {CREATE}


@on_both_stores
def test_an_emptied_page_is_skipped_and_leaves_the_index(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index()
    (pages / CREATE).write_text("")
    report = index()
    assert report.skipped == [Skip(CREATE, "empty")]
    assert (report.pages, report.deleted) == (2, 1)
    assert CREATE not in pages_found(store, "nouveau client")
    write_pages(pages)
    assert index().written > 0
    assert CREATE in pages_found(store, "nouveau client")


def test_a_file_named_alone_is_the_page_of_its_folder(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index()
    write_pages(pages, {CREATE: "# Créer un client\n\nTonnelier.\n"})
    (pages / "clients/fusionner.md").unlink()
    report = index(pages / CREATE)
    assert (report.pages, report.deleted) == (1, 0)
    assert set(store.records()) == set(PAGES)
    assert pages_found(store, "tonnelier") == {CREATE}


def test_a_folder_inside_an_indexed_one_brings_that_part_up_to_date(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index()
    write_pages(pages, {"clients/pro/a.md": "# Tonnelier\n\nFûts.\n"})
    (pages / CREATE).unlink()
    (pages / "stocks/inventaire.md").unlink()
    report = index(pages / "clients")
    assert (report.pages, report.deleted) == (2, 1)
    assert set(store.records()) == {*PAGES, "clients/pro/a.md"} - {CREATE}


def test_a_folder_around_an_indexed_one_takes_its_pages_over(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index(pages / "clients")
    assert set(store.records()) == {"creer.md", "fusionner.md"}
    index()
    assert set(store.records()) == set(PAGES)


@on_both_stores
def test_pages_of_another_folder_stay(
    index: Callable[..., Report], store: Store, tmp_path: Path
) -> None:
    index()
    other = write_pages(tmp_path / "other", {"tonneau.md": "# Tonneau\n\nLe tonnelier.\n"})
    assert index(other).deleted == 0
    assert set(store.records()) == {*PAGES, "tonneau.md"}
    assert index().deleted == 0
    assert pages_found(store, "tonnelier") == {"tonneau.md"}


def test_a_page_of_the_same_name_in_another_folder_is_skipped_and_replaces_nothing(
    index: Callable[..., Report], store: Store, tmp_path: Path, pages: Path
) -> None:
    index()
    before = contents(store)
    other = write_pages(tmp_path / "other", {CREATE: "# Autre\n\nAutre.\n", "b.md": "# B\n\nB.\n"})
    for sources in ([other], [pages, other], [other, pages]):
        report = index(*sources)
        assert [skip.page for skip in report.skipped] == [CREATE]
        assert report.deleted == 0
        assert contents(store)[CREATE] == before[CREATE]
    assert set(store.records()) == {*PAGES, "b.md"}


def test_a_folder_that_moved_keeps_its_chunks(
    index: Callable[..., Report], store: Store, pages: Path, encoder: CountingEncoder
) -> None:
    index()
    before, encoder.passages = contents(store), 0
    moved = pages.rename(pages.parent / "moved")
    report = index(moved)
    assert encoder.passages == report.written == report.deleted == 0
    assert contents(store) == before
    assert {record.root for record in store.records().values()} == {str(moved)}


def test_another_way_to_name_a_folder_is_the_same_folder(
    index: Callable[..., Report],
    store: Store,
    pages: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index()
    monkeypatch.chdir(pages / "clients")
    (pages / CREATE).unlink()
    for source in (Path(".."), Path("../../pages"), pages / "stocks" / ".."):
        index(source)
    assert set(store.records()) == set(PAGES) - {CREATE}
    assert {record.root for record in store.records().values()} == {str(pages)}


@on_both_stores
def test_a_full_run_leaves_what_is_named_and_nothing_else(
    index: Callable[..., Report], store: Store, tmp_path: Path, encoder: CountingEncoder
) -> None:
    index()
    other = write_pages(tmp_path / "other", {"tonneau.md": "# Tonneau\n\nLe tonnelier.\n"})
    encoder.passages = 0
    report = index(other, full=True)
    assert (report.pages, report.unchanged) == (1, 0)
    assert report.written == encoder.passages == store.count()
    assert set(store.records()) == {"tonneau.md"}
    assert pages_found(store, "client") == set()


@pytest.mark.parametrize("full", [False, True])
def test_a_dry_run_says_what_a_run_would_do_and_does_nothing(
    index: Callable[..., Report], store: Store, pages: Path, encoder: CountingEncoder, full: bool
) -> None:
    index()
    write_pages(pages, {CREATE: PAGES[CREATE] + "\n## Fin\n\nFin.\n", "a.md": "# A\n\nTexte.\n"})
    (pages / "clients/fusionner.md").unlink()
    before, encoder.passages = contents(store), 0
    promised = index(full=full, dry_run=True)
    assert contents(store) == before
    assert encoder.passages == 0
    done = index(full=full)
    assert (promised.written, promised.deleted) == (done.written, done.deleted)
    assert (promised.pages, promised.chunks) == (done.pages, done.chunks)
    assert promised.unchanged == done.unchanged


@on_both_stores
def test_a_dry_run_makes_no_index(index: Callable[..., Report], store: Store) -> None:
    assert index(dry_run=True).written > 0
    assert store.meta() is None
    with pytest.raises(IndexMissing):
        pages_found(store, "client")


def test_ids_are_the_same_in_every_build(
    index: Callable[..., Report], store: Store, tmp_path: Path
) -> None:
    index()
    before = contents(store)
    copy = write_pages(tmp_path / "copy")
    index(copy, full=True)
    assert contents(store) == before


@pytest.mark.parametrize("full", [False, True])
def test_an_empty_folder_is_an_error_that_changes_nothing(
    index: Callable[..., Report], store: Store, tmp_path: Path, full: bool
) -> None:
    index()
    before = contents(store)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no help page there"):
        index(tmp_path / "empty", full=full)
    assert contents(store) == before


def test_a_full_run_of_pages_that_cannot_be_read_changes_nothing(
    index: Callable[..., Report], store: Store, tmp_path: Path
) -> None:
    index()
    before = contents(store)
    bad = write_pages(tmp_path / "bad", {"a.md": "", "b.md": ""})
    with pytest.raises(CorpusError, match=r"a\.md: empty"):
        index(bad, full=True)
    assert contents(store) == before
    index()


def test_a_source_that_does_not_exist_is_an_error(index: Callable[..., Report]) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        index(Path("absent"))


@on_both_stores
def test_an_index_of_another_encoder_is_refused_until_it_is_rebuilt(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    index()
    other = CountingEncoder(name="autre@2")
    with pytest.raises(IndexMismatch) as refused:
        run([pages], store, other)
    for part in (bundled_encoder().name, "autre@2", "python cli.py index --full"):
        assert part in str(refused.value)
    assert other.passages == 0
    run([pages], store, other, full=True)
    assert store.meta().encoder == "autre@2"
    assert run([pages], store, other).written == 0


@on_both_stores
def test_two_runs_at_once_are_refused(settings: Settings, store: Store, pages: Path) -> None:
    second = open_store(settings)

    class Interrupting(CountingEncoder):
        def encode_passages(self, texts):
            with pytest.raises(IndexBusy):
                run([pages], second, CountingEncoder())
            return super().encode_passages(texts)

    report = run([pages], store, Interrupting())
    assert report.written == store.count()
    assert run([pages], second, CountingEncoder()).written == 0
    second.close()


@on_both_stores
def test_an_encoder_that_fails_leaves_the_index_as_it_was(
    index: Callable[..., Report], store: Store, pages: Path
) -> None:
    class Failing(CountingEncoder):
        def encode_passages(self, texts):
            raise ZeroDivisionError

    index()
    before = contents(store)
    write_pages(pages, {CREATE: "# Autre\n\nAutre.\n"})
    for full in (False, True):
        with pytest.raises(ZeroDivisionError):
            run([pages], store, Failing(), full=full)
        assert contents(store) == before
    assert index().written == 1


def test_progress_is_told_page_by_page(index: Callable[..., Report]) -> None:
    told: list[tuple[int, int]] = []
    index(on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def many_pages(folder: Path, count: int) -> Path:
    return write_pages(
        folder,
        {f"p{n:03}.md": f"# Page {n}\n\n{'mot ' * 30}\n\n## B{n}\n\nb{n}\n" for n in range(count)},
    )


def kill_at(moment_s: float, *arguments: object, **variables: object) -> bool:
    """Kill an index run at a moment; say whether it was still running."""
    with started("index", *arguments, **variables) as process:
        ended = wait_until(lambda: process.poll() is not None, moment_s)
        process.send_signal(signal.SIGKILL)
    return not ended


def environment(settings: Settings) -> dict[str, str]:
    given = {"HELP_DATA_DIR": str(settings.data_dir)}
    if settings.uses_elasticsearch:
        given["ELASTICSEARCH_URL"] = settings.elasticsearch_url
        given["ELASTICSEARCH_INDEX"] = settings.elasticsearch_index
    return given


@on_both_stores
def test_a_run_killed_at_any_moment_is_completed_by_the_next(
    settings: Settings, store: Store, pages: Path, index: Callable[..., Report], tmp_path: Path
) -> None:
    index()
    before = contents(store)
    many_pages(pages, 250)
    start = time.monotonic()
    variables = environment(settings)
    assert souffleur("index", "--dry-run", pages, **variables).returncode == 0
    whole_s = time.monotonic() - start
    shares = (0.6, 1.1) if settings.uses_elasticsearch else (0.6, 1.0, 1.2)
    killed = 0
    for number, share in enumerate(shares):
        killed += kill_at(share * whole_s, pages, *["--full"] * (number % 2), **variables)
        if len(contents(store)) < 250:
            assert contents(store) == before
            assert pages_found(store, "inventaire") == {"stocks/inventaire.md"}
    assert killed
    index()
    fresh = open_store(Settings(data_dir=tmp_path / "fresh", _env_file=None))
    run([pages], fresh, bundled_encoder())
    assert contents(store) == contents(fresh)
    assert store.count() == fresh.count()
    fresh.close()


def test_a_killed_run_leaves_no_process_behind(pages: Path, tmp_path: Path) -> None:
    many_pages(pages, 100)
    with started("index", pages, HELP_DATA_DIR=tmp_path / "d") as process:
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert wait_until(lambda: bool(listed.read_text().split()), 10)
        children = listed.read_text().split()
        process.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in children), 5)


def test_a_folder_indexed_after_its_subfolder_has_every_page_once(tmp_path: Path) -> None:
    folder = write_pages(
        tmp_path / "docs", {"index.md": "# Accueil\n\nun", "fr/index.md": "# Deux\n\nb"}
    )
    store = open_store(Settings(data_dir=tmp_path / "d", _env_file=None))
    run([folder / "fr"], store, bundled_encoder())
    report = run([folder], store, bundled_encoder())
    assert report.skipped == []
    assert {page: record.title for page, record in store.records().items()} == {
        "index.md": "Accueil",
        "fr/index.md": "Deux",
    }
    store.close()


def test_a_moved_folder_leaves_nothing_of_its_old_place(tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "u", {"a.md": "# A\n\nun", "b.md": "# B\n\ndeux"})
    store = open_store(Settings(data_dir=tmp_path / "d", _env_file=None))
    run([folder], store, bundled_encoder())
    moved = folder.rename(tmp_path / "v")
    (moved / "b.md").unlink()
    assert run([moved], store, bundled_encoder()).deleted == 1
    assert set(store.records()) == {"a.md"}
    store.close()

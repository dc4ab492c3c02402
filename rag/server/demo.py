"""A site to try the widget on: the indexed help pages, and the screens that they lead to."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import HTMLResponse, RedirectResponse

from rag.core.documents import Chunk, PageRecord
from rag.core.errors import HelpError
from rag.core.invocation import index_command
from rag.core.protocols import Store
from rag.stores import open_store

NBSP = "\u00a0"
SAMPLE_HOST = "aide.monchai.example"
FOLDERS = {
    "cave": "Cave",
    "demarrer": "Bien démarrer",
    "drm": "DRM et douanes",
    "etiquettes": "Étiquettes",
    "parametres": "Paramètres",
}
FIRST_FOLDERS = ("demarrer", "clients", "commandes", "factures")
MENU = (("Clients", "/clients/"), ("Commandes", "/commandes/"), ("Stocks", "/stocks/"))
ITEM = re.compile(r"(?:[-*•]|(\d+)\.)\s+(.*)")
FRESH_S = 2.0
READ_S = 5.0
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Looks:
    """Hold where the site stands and how its widget is to look."""

    root: str = ""
    lang: str = "fr"
    theme: str = ""


def home_page(pages: Mapping[str, PageRecord], looks: Looks) -> str:
    """Return the site's first page: what it is, and its help pages by folder."""
    folders: dict[str, list[PageRecord]] = {}
    for record in sorted(pages.values(), key=lambda record: record.title.casefold()):
        folders.setdefault(record.id.rpartition("/")[0], []).append(record)
    first = [name for name in FIRST_FOLDERS if name in folders]
    ordered = first + sorted(name for name in folders if name not in first)
    cards = "".join(_card(name, folders[name], looks) for name in ordered)
    brand = _brand(pages)
    kicker = "Le logiciel des domaines viticoles" if _sample(pages) else brand
    body = f"""<section class="hero"><p class="kicker">{escape(kicker)}</p>
<h1>{
        "Du raisin à la facture, tout votre chai au même endroit"
        if _sample(pages)
        else "Posez une question à votre aide"
    }</h1>
<p>{len(pages)} pages d’aide sont à votre disposition. Lisez-les ici, ou posez votre question à
l’assistant, en bas à droite{NBSP}: il répond à partir d’elles et cite ses sources.</p></section>
<section><h2 id="aide">Centre d’aide</h2><div class="cards">{cards}</div></section>"""
    asked = [question for record in pages.values() for question in record.questions[:1]]
    shown = ["Comment créer un client ?", "Mot de passe oublié", "Comment créer un avoir ?"]
    return _layout(brand, body, looks, _sample(pages), shown if _sample(pages) else asked[:3])


def help_page(
    record: PageRecord, chunks: Sequence[Chunk], pages: Mapping[str, PageRecord], looks: Looks
) -> str:
    """Return a help page from its chunks, with the anchors that sources point at."""
    sections: list[str] = []
    before: tuple[str, ...] = ()
    for chunk in chunks:
        if chunk.headings and chunk.headings != before:
            level = min(len(chunk.headings) + 1, 6)
            anchor = escape(urlsplit(chunk.url).fragment)
            heading = escape(chunk.headings[-1])
            sections.append(f'<h{level} id="{anchor}">{heading}</h{level}>')
        before = chunk.headings
        sections.append(_blocks(chunk.text))
    related = [pages[page] for page in record.see_also if page in pages]
    folder = _folder(record.id.rpartition("/")[0])
    body = f"""<nav class="trail" aria-label="Fil d’Ariane">
<a href="{looks.root}/">Centre d’aide</a>
<span aria-hidden="true">›</span> {escape(folder)}</nav>
<article><h1>{escape(record.title)}</h1>{"".join(sections)}</article>{_actions(record, looks)}
{_list("Voir aussi", related, looks)}"""
    title = f"{record.title} – {_brand(pages)}"
    return _layout(title, body, looks, _sample(pages), record.questions[:3], record.id)


def screen_page(label: str, leading: Sequence[PageRecord], looks: Looks) -> str:
    """Return the place of a screen of the product."""
    rows = "<tr><td><i></i></td><td><i></i></td><td><i></i></td></tr>" * 5
    body = f"""<h1>{escape(label)}</h1><p class="notice">Écran de démonstration{NBSP}: dans le
produit, c’est ici que l’on travaille.</p>
<table class="mock" aria-hidden="true"><tbody>{rows}</tbody></table>
{_list("L’aide de cet écran", leading, looks)}"""
    pages = {record.id: record for record in leading}
    questions = [question for record in leading for question in record.questions[:1]]
    return _layout(f"{label} – {_brand(pages)}", body, looks, _sample(pages), questions[:3])


def missing_page(looks: Looks) -> str:
    """Return what stands where there is no page."""
    body = f"""<h1>Page introuvable</h1><p>Il n’y a pas de page à cette adresse.
<a href="{looks.root}/">Retour au centre d’aide</a></p>"""
    return _layout("Page introuvable", body, looks)


def empty_page(looks: Looks) -> str:
    """Return the first page while nothing is indexed."""
    body = f"""<h1>Aucune page d’aide n’est indexée</h1>
<p>Dans un terminal{NBSP}: <code>{index_command()}</code>, puis rechargez cette
page.</p>"""
    return _layout("Centre d’aide", body, looks)


def _layout(
    title: str,
    body: str,
    looks: Looks,
    sample: bool = False,
    questions: Iterable[str] = (),
    page_id: str = "",
) -> str:
    brand = "MonChai" if sample else "Centre d’aide"
    menu = "".join(f'<a href="{looks.root}{url}">{name}</a>' for name, url in MENU if sample)
    settings = {
        "lang": looks.lang,
        "theme": looks.theme,
        "pages": f"{looks.root}/aide/{{page}}",
        "page": page_id,
        "title": ("MonChai Help" if looks.lang == "en" else "Aide MonChai") if sample else "",
        "questions": "|".join(questions),
    }
    data = "".join(f' data-{name}="{escape(said)}"' for name, said in settings.items() if said)
    theme = f' data-theme="{looks.theme}"' if looks.theme else ""
    return f"""<!doctype html>
<html lang="fr"{theme}><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="{looks.root}/demo.css">
<script src="{looks.root}/widget.js" defer{data}></script></head>
<body><header class="top"><a class="brand" href="{looks.root}/">{brand}</a>
<nav aria-label="Menu">{menu}<a href="{looks.root}/#aide">Aide</a></nav></header>
<main>{body}</main>
<footer><p>Site de démonstration de Souffleur. Les pages sont celles de votre index.</p></footer>
</body></html>"""


def _card(folder: str, records: Sequence[PageRecord], looks: Looks) -> str:
    links = "".join(f"<li>{_link(record, looks)}</li>" for record in records)
    return f'<section class="card"><h3>{escape(_folder(folder))}</h3><ul>{links}</ul></section>'


def _list(title: str, records: Sequence[PageRecord], looks: Looks) -> str:
    if not records:
        return ""
    links = "".join(f"<li>{_link(record, looks)}</li>" for record in records)
    return f"<aside><h2>{escape(title)}</h2><ul>{links}</ul></aside>"


def _actions(record: PageRecord, looks: Looks) -> str:
    links = "".join(
        f'<a class="action" href="{escape(_address(action.url, looks))}">{escape(action.label)}</a>'
        for action in record.actions
    )
    return f'<p class="actions">{links}</p>' if links else ""


def _address(url: str, looks: Looks) -> str:
    return f"{looks.root}{url}" if url.startswith("/") else url


def _link(record: PageRecord, looks: Looks) -> str:
    return f'<a href="{looks.root}/aide/{quote(record.id)}">{escape(record.title)}</a>'


def _folder(name: str) -> str:
    return FOLDERS.get(name) or name.replace("-", " ").capitalize() or "Pages"


def _sample(pages: Mapping[str, PageRecord]) -> bool:
    return any(urlsplit(record.url).hostname == SAMPLE_HOST for record in pages.values())


def _brand(pages: Mapping[str, PageRecord]) -> str:
    return "MonChai" if _sample(pages) else "Centre d’aide"


def _blocks(text: str) -> str:
    """Return a chunk's text as HTML: lists, tables, paragraphs."""
    lines, blocks, at = text.split("\n"), [], 0
    while at < len(lines):
        start = at
        if item := ITEM.match(lines[at]):
            kind = "ol" if item[1] else "ul"
            while at < len(lines) and (found := ITEM.match(lines[at])):
                if bool(found[1]) != bool(item[1]):
                    break
                at += 1
            items = (ITEM.match(line) for line in lines[start:at])
            inner = "".join(f"<li>{escape(found[2])}</li>" for found in items if found)
            blocks.append(f'<{kind} start="{item[1] or 1}">{inner}</{kind}>')
        elif " | " in lines[at]:
            while at < len(lines) and " | " in lines[at]:
                at += 1
            blocks.append(_table(lines[start:at]))
        else:
            blocks.append(f"<p>{escape(lines[at])}</p>" if lines[at].strip() else "")
            at += 1
    return "".join(blocks)


def _table(lines: Sequence[str]) -> str:
    def row(line: str, name: str) -> str:
        cells = "".join(f"<{name}>{escape(cell)}</{name}>" for cell in line.split(" | "))
        return f"<tr>{cells}</tr>"

    body = "".join(row(line, "td") for line in lines[1:])
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(lines[0])}"><table>'
        f"<thead>{row(lines[0], 'th')}</thead><tbody>{body}</tbody></table></div>"
    )


class _ScreenConvertor(Convertor[str]):
    """Match paths that end in a slash, as Django's do, and are no way in of the server's."""

    regex = "(?!(?:api|ws|v1|aide)/)[^?#]+/"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("screen", _ScreenConvertor())


@dataclass(slots=True)
class Shelf:
    """Hold the indexed pages as they were a moment ago."""

    store: Store
    records: dict[str, PageRecord] = field(default_factory=dict)
    read_at: float = 0.0

    def pages(self) -> dict[str, PageRecord]:
        """Return the pages by their ids; none while there is no index."""
        if time.monotonic() - self.read_at > FRESH_S:
            try:
                self.records = self.store.records()
            except HelpError:
                self.records = {}
            self.read_at = time.monotonic()
        return self.records

    def chunks(self, record: PageRecord) -> list[Chunk]:
        """Return a page's chunks in reading order."""
        found = self.store.chunks(record.chunk_ids, READ_S)
        return sorted(found.values(), key=lambda chunk: chunk.position)

    def screen(self, path: str) -> tuple[str, list[PageRecord]]:
        """Return the name of a screen of the site and the pages that lead to it."""
        leading = {
            record.id: (action.label, record)
            for record in self.pages().values()
            for action in record.actions
            if urlsplit(action.url).path == path
        }
        label = next((label for label, _ in leading.values()), "")
        return label, [record for _, record in leading.values()]


@router.get("/")
async def home(request: Request) -> Response:
    """Show the site's first page."""
    shelf = _shelf(request)
    pages = await run_in_threadpool(shelf.pages)
    return _page(home_page(pages, _looks(request)) if pages else empty_page(_looks(request)))


@router.get("/aide/{page_id:path}")
async def read(request: Request, page_id: str) -> Response:
    """Show a help page, as it is indexed."""
    shelf = _shelf(request)
    pages = await run_in_threadpool(shelf.pages)
    record = pages.get(page_id)
    if not page_id:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/", 307)
    if record is None:
        return _page(missing_page(_looks(request)), 404)
    chunks = await run_in_threadpool(shelf.chunks, record)
    return _page(help_page(record, chunks, pages, _looks(request)))


@router.get("/demo.css")
async def style() -> Response:
    """Serve the looks of the demo."""
    return Response(_style(), media_type="text/css; charset=utf-8")


@router.get("/{path:screen}")
async def screen(request: Request, path: str) -> Response:
    """Show the place of a screen that the help pages lead to."""
    shelf = _shelf(request)
    label, leading = await run_in_threadpool(shelf.screen, f"/{path}")
    if not leading:
        return _page(missing_page(_looks(request)), 404)
    return _page(screen_page(label, leading, _looks(request)))


def _shelf(request: Request) -> Shelf:
    state = request.app.state
    if not hasattr(state, "shelf"):
        state.shelf = Shelf(open_store(state.desk.settings))
    shelf: Shelf = state.shelf
    return shelf


def _looks(request: Request) -> Looks:
    asked = request.query_params
    lang = "en" if asked.get("lang") == "en" else "fr"
    theme = asked.get("theme", "")
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return Looks(root, lang, theme if theme in {"light", "dark"} else "")


def _page(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, headers={"Cache-Control": "no-cache"})


@cache
def _style() -> bytes:
    return files("rag.server").joinpath("static", "demo.css").read_bytes()

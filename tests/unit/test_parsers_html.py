"""What the HTML parser makes of a page, through ``load_page``."""

from __future__ import annotations

import pytest

from rag.core.documents import Block, Page
from tests.unit.test_parsers import headings, load, said


def html(body: str, head: str = "") -> Page:
    return load("p.html", f"<html lang='fr-CA'><head>{head}</head><body>{body}</body></html>")


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>secret</script>",
        "<style>secret</style>",
        "<noscript>secret</noscript>",
        "<template>secret</template>",
        "<!-- secret -->",
        "<nav>secret</nav>",
        "<header>secret</header>",
        "<footer>secret</footer>",
        "<aside>secret</aside>",
        "<form><input><label>secret</label></form>",
        "<button>secret</button>",
        "<p hidden>secret</p>",
        "<p aria-hidden=true>secret</p>",
        "<p style='color:red; display : none'>secret</p>",
        "<p style='visibility:hidden'>secret</p>",
        "<p style='font-size:0px'>secret</p>",
        "<p style='opacity:0'>secret</p>",
        "<p style='color:#FFF'>secret</p>",
        "<div role=navigation>secret</div>",
        "<ul class='foo breadcrumb'><li>secret</ul>",
        "<div id=toc>secret</div>",
        "<div class=navheader><table><tr><th>secret</table></div>",
        "<div class=sidebar>secret</div>",
        "<dialog><p>secret</p></dialog>",
        "<p class='x d-none'>secret</p>",
        "<p class=hidden>secret</p>",
        "<p class=visually-hidden>secret</p>",
        "<p class=sr-only>secret</p>",
        "<ul class=nav-list><li>secret</ul>",
    ],
)
def test_html_drops_what_its_reader_does_not_read(hidden: str) -> None:
    assert said(html(f"<p>avant</p>{hidden}<p>après</p>")) == ["avant", "après"]


@pytest.mark.parametrize(
    "shown",
    [
        "<p style='font-size:0.8em'>visible</p>",
        "<p style='color:white;background:black'>visible</p>",
        "<p class='menuitem'>visible</p>",
        "<details><summary>visible</summary></details>",
        "<dialog open>visible</dialog>",
        "<p class='hidden md:block'>visible</p>",
        "<p class='d-none d-md-block'>visible</p>",
        "<p id=nav-list>visible</p>",
        "<article><header>visible</header></article>",
        "<form><h2>F</h2><p>visible</p></form>",
    ],
)
def test_html_keeps_what_its_reader_reads(shown: str) -> None:
    assert "visible" in said(html(f"<p>avant</p>{shown}"))


def test_html_reads_the_main_part_alone_when_there_is_one() -> None:
    page = html("<p>menu</p><main><header><h1>T</h1></header><p>texte</p></main><p>pied</p>")
    assert (page.title, said(page), page.lang) == ("T", ["texte"], "fr")


def test_a_page_of_links_alone_is_kept() -> None:
    assert said(html("<div class=toc><a href=a>Un</a></div>")) == ["Un"]


def test_headings_keep_the_anchor_that_leads_to_them() -> None:
    page = html(
        "<h1>T</h1><h2 id=a>A</h2><p>x<section id=b><h2>B</h2><p>x</section>"
        "<h2><a name=c></a>C</h2><p>x</p><a id=d></a><h2>D</h2><p id=e>x</p><h2>E</h2><p>x"
    )
    assert [anchor for _, _, anchor in headings(page)] == ["a", "b", "c", "d", ""]


def test_html_lists_tables_and_definitions() -> None:
    page = html(
        "<ol start=3><li><p>Un</p><p>suite</p><li>Deux<ul><li>a<li>b</ul></ol>"
        "<table><caption>Champs</caption><tr><th><p>Nom</p><th>Sens<tr><td>a<td><p>b</p><p>c</p>"
        "</table><dl><dt>terme<dd>sens</dl><table><tr><td>mise en page</table>"
        "<table role=presentation><tr><td>x<td>y</table>"
        "<div class=note><table><tr><td><img><th>Note<tr><td><p>Attention.</p></table></div>"
    )
    assert page.blocks == (
        Block("list", items=("3. Un suite", "4. Deux", "  - a", "  - b")),
        Block("paragraph", "Champs"),
        Block("table", header="Nom | Sens", items=("a | b c",)),
        Block("list", items=("- terme : sens",)),
        Block("paragraph", "mise en page"),
        Block("paragraph", "x"),
        Block("paragraph", "y"),
        Block("paragraph", "Note : Attention."),
    )


def test_code_inside_a_step_is_a_code_block_and_numbers_go_on() -> None:
    page = html("<ol><li>Tapez :<pre>  a\n    b\n</pre><li>Fin</ol>")
    assert page.blocks == (
        Block("list", items=("1. Tapez :",)),
        Block("code", "a\n  b"),
        Block("list", items=("2. Fin",)),
    )


def test_text_deeper_than_256_elements_is_not_lost() -> None:
    assert said(html("<div>" * 3_000 + "profond")) == ["profond"]


def test_libreoffice_alternatives_and_related_topics() -> None:
    page = load(
        "text/scalc/guide/a.html",
        "<base href='../../../../'><p>Touche <span class=switchinline><span hidden=true id=MACx"
        ">Commande</span><span hidden=true id=defaultx>Ctrl</span></span> + F</p>"
        "<div class=relatedtopics><a href='fr/text/scalc/01/b.html'>Voir B</a></div>",
    )
    assert said(page) == ["Touche Ctrl + F"]
    assert page.see_also == ("text/scalc/01/b.html",)


def test_images_and_buttons_in_a_sentence_say_their_text() -> None:
    page = html(
        "<img alt=Logo><p><b><img alt='Icône Gras'></b>Gras <img alt=A><img alt=B>, <button>OK"
        "</button>.</p><ul><li><img alt='Icône Note'>Cliquez <img alt=ici hidden></ul><button>x"
    )
    assert said(page) == ["Icône Gras Gras A B, OK.", "- Cliquez"]


def test_libreoffice_related_links_without_a_frame() -> None:
    page = html(
        "<p>texte</p><div class=embedded><p class=related>Rubriques connexes</p></div>\n"
        "<div class=embedded><p><a href=b.html>Voir B</a></p></div>\n<p><a href=c.html>C</a>.</p>"
        "<p>Suite, voir <a href=d.html>D</a>.</p>"
    )
    assert said(page) == ["texte", "Suite, voir D."]
    assert page.see_also == ("b.html", "c.html")
    assert said(html("<p class=related>Une note.</p><p>x</p>")) == ["Une note.", "x"]

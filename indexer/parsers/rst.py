"""reStructuredText, by docutils: rendered to HTML, and read as that."""

from __future__ import annotations

import re

from docutils import nodes
from docutils.core import publish_doctree, publish_from_doctree
from docutils.parsers.rst import roles

from indexer.parsers.html import read_fragment
from indexer.parsers.metadata import decode, make_page
from rag.core.documents import Page

_BODY = re.compile(r"<body[^>]*>(.*)</body>", re.DOTALL)
# A page must not read files of this machine, nor bring its own HTML.
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 2,
    "warning_stream": False,
    "halt_level": 5,
    "doctitle_xform": False,
    "initial_header_level": 1,
    "embed_stylesheet": False,
    "stylesheet_path": "",
    "math_output": "LaTeX",
    "syntax_highlight": "none",
    "smart_quotes": False,
    "output_encoding": "unicode",
    "line_length_limit": 10_000_000,
}
_SPHINX_ROLES = (
    "any attr class command doc download envvar file func guilabel kbd menuselection meth mod"
    " numref option program ref samp term"
).split()
_SILENT = re.compile(r"\.\. (toctree|index|auto\w+|highlight|currentmodule)::")
_OPTION = re.compile(r"^\s*:[\w-]+:.*$", re.MULTILINE)
_TARGET = re.compile(r"\s*<[^<>]*>$")


def parse(data: bytes, page_id: str) -> Page:
    """Parse a reStructuredText page. Raises: CorpusError when it cannot be read."""
    _accept_sphinx_roles()
    tree = publish_doctree(decode(data, page_id), settings_overrides=_SETTINGS)
    for kind in (nodes.system_message, nodes.comment):
        for node in list(tree.findall(kind)):
            node.parent.replace(node, _content_of_unknown(node))
    tree.transform_messages = []
    quiet = _SETTINGS | {"report_level": 5}
    html = publish_from_doctree(tree, writer="html5", settings_overrides=quiet)
    body = _BODY.search(html)
    return make_page(page_id, read_fragment(body[1] if body else html, page_id))


def _content_of_unknown(node: nodes.Node) -> list[nodes.Node]:
    """Return the text of a directive that docutils does not know (Sphinx's, an extension's)."""
    source = next(node.findall(nodes.literal_block), None)
    if source is None or "disabled" in node.astext().partition("\n")[0]:
        return []
    head, _, body = source.astext().partition("\n")
    if _SILENT.match(head):
        return []
    body = _OPTION.sub("", body) if head.startswith(".. ") else source.astext()
    return [nodes.paragraph("", part) for part in body.split("\n\n") if part.strip()]


def _accept_sphinx_roles() -> None:
    for name in _SPHINX_ROLES:
        roles.register_local_role(name, _shown_text)  # type: ignore[arg-type]


def _shown_text(
    name: str, rawtext: str, text: str, *_: object, **__: object
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Show a reference as Sphinx does: ``:doc:`Text <target>``` is its text."""
    return [nodes.inline(rawtext, _TARGET.sub("", text).lstrip("~!"))], []

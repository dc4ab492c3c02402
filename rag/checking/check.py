"""What a model writes, released by the sentence: held until it is whole, checked, shown or dropped.

The pieces released, joined, are the final text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from rag.checking.cutting import Cutter
from rag.checking.evidence import Evidence
from rag.checking.passages import WordEncoder
from rag.checking.support import Support, support
from rag.checking.table import Table
from rag.checking.tidy import bare, cited, clean, without_citations
from rag.core.documents import Hit
from rag.language import profiles
from rag.language.analyzer import STOP_WORDS, fold
from rag.language.profiles import EVERYWHERE
from rag.prompt import ROLE_TOKEN

LANGUAGE_SENTENCES = 2  # the first ones tell in which language an answer is
LANGUAGE_WORDS = 8
CERTAIN = 3  # words of the other language's own
OWN = {
    lang: words.difference(*(STOP_WORDS[code] for code in EVERYWHERE if code != lang))
    for lang, words in STOP_WORDS.items()
}
LETTERS = re.compile(r"[^\W\d_]+")
_STEP = rf"(?:{profiles.alternatives('sentences.step')})\s+\d{{1,3}}"
MARKER = re.compile(
    rf"^(?:(?:[*_]{{0,3}}(?:\d{{1,3}}[.)]|{_STEP}\s*[.):–-])[*_]{{0,3}}"
    rf"|[*_]{{1,3}}{_STEP}[*_]{{1,3}}\s*[.):–-]|[-*•–+>]|#{{1,6}})\s+)+",
    re.IGNORECASE,
)
STARTS = re.compile(r"assistant|start|begin|^<s>$", re.IGNORECASE)  # tokens before an answer
RULE = re.compile(r"[-|:=*_`# ]{3,}")  # between a table's header and its rows, around code
APOLOGY = re.compile(profiles.alternatives("verification.apology"), re.IGNORECASE)
_PAGES, _DENIES, _SAYS = (
    profiles.alternatives(f"verification.{name}") for name in ("pages", "denies", "says")
)
NOT_SAID = re.compile(
    rf"(?:{_PAGES})\b[^.;:]{{0,40}}?(?:{_DENIES})[^.;:]{{0,30}}?\b(?:{_SAYS})", re.IGNORECASE
)
SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


class SentenceFilter:
    """Check a model's text against the passages it was given, in pieces as they come.

    Passage [n] is ``passages[n-1]``. A sentence that no passage supports is dropped and counted;
    a citation is brought to the passage that supports its sentence. ``encoder`` None compares
    words by their stems alone.
    """

    def __init__(
        self,
        passages: Sequence[Hit],
        lang: str,
        allowed_links: Collection[str] = (),
        encoder: WordEncoder | None = None,
    ) -> None:
        self._evidence = Evidence(passages, lang, encoder)
        self._count = len(passages)
        self._lang = lang
        fragments = (url for url in allowed_links if "#" in url)
        self._allowed = frozenset(allowed_links).union(map(bare, fragments))
        self._cutter = Cutter()
        self._released: list[str] = []
        self._opening: list[str] = []
        self._gap = ""
        self._table = Table()
        self._over = False
        self.cited: set[int] = set()
        self.dropped = 0
        self.wrong_language = False

    @property
    def text(self) -> str:
        """Return all that was released."""
        return "".join(self._released)

    def feed(self, piece: str) -> str:
        """Take the model's next piece; return the text that may be shown now, mostly none."""
        return "".join(self._release(gap, unit) for gap, unit in self._cutter.feed(piece))

    def close(self, *, ended: bool) -> str:
        """Return the rest. ``ended``: the model ended by itself, so its last sentence is whole."""
        return "".join(self._release(gap, unit) for gap, unit in self._cutter.close(ended=ended))

    def _release(self, gap: str, unit: str) -> str:
        unit = self._own(unit)
        if not self._table.holds(gap, unit):
            return self._show(gap, self._checked(unit) if unit else "")
        cited_before = set(self.cited)
        checked = unit if self._table.opens(unit) else self._checked(unit)
        lines = self._table.take(gap, unit, checked)
        if not lines:  # a header's citations count once it is shown with a row, which has its own
            self.cited = cited_before
        return "".join(self._show(*line) for line in lines)

    def _own(self, unit: str) -> str:
        """Return what the model says itself: nothing once it has begun to play another's part."""
        if self._over:
            return ""
        while (found := ROLE_TOKEN.search(unit)) is not None:
            begins = not self._released and not re.search(r"\w", unit[: found.start()])
            if not (begins and STARTS.search(found.group())):
                self._over = True
                return unit[: found.start()].rstrip()
            unit = unit[found.end() :].lstrip()
        return unit

    def _show(self, gap: str, shown: str) -> str:
        self._gap = max(self._gap, gap, key=lambda one: (one.count("\n"), one is gap))
        if not shown:
            return ""
        text = f"{self._gap}{shown}" if self._released else shown
        self._gap = ""
        self._released.append(text)
        return text

    def _checked(self, unit: str) -> str:
        """Return a sentence as it may be shown; nothing when it may not."""
        tidy, numbers = without_citations(clean(unit, self._allowed))
        found = MARKER.match(tidy)
        marker = found.group() if found else ""
        body = tidy[len(marker) :].strip()
        if not re.search(r"\w", body):
            return body if RULE.fullmatch(body) else ""
        if NOT_SAID.search(body) or _is_apology(body):
            return f"{marker}{body}"
        if self._is_foreign(body):
            return ""
        judged = support(self._evidence, clean(body, ()))
        if not judged.holds:
            self.dropped += 1
            return ""
        kept = self._citations(numbers, judged, lead=body.endswith(":"))
        self.cited.update(kept)
        return f"{marker}{cited(body, kept)}"

    def _citations(self, numbers: Sequence[int], found: Support, *, lead: bool) -> list[int]:
        """Return what a sentence cites: what supports it, the best where that was not cited."""
        sent = [number for number in numbers if 1 <= number <= self._count]
        if not found.passages:
            return sent
        kept = [number for number in sent if number in found.passages]
        return kept or ([] if lead and not sent else [found.passages[0]])

    def _is_foreign(self, body: str) -> bool:
        """Say whether the answer has turned out to be in another language than the asker's."""
        if len(self._opening) < LANGUAGE_SENTENCES and not self.wrong_language:
            self._opening.append(body)
            self.wrong_language = is_in_other_language(" ".join(self._opening), self._lang)
        return self.wrong_language


def is_in_other_language(text: str, lang: str) -> bool:
    """Say whether a text is surely not in a language by its function words."""
    told = [fold(word) for word in LETTERS.findall(text)]
    theirs = max(sum(word in own for word in told) for code, own in OWN.items() if code != lang)
    if theirs >= CERTAIN and theirs > 2 * sum(word in OWN[lang] for word in told):
        return True
    return len(told) >= LANGUAGE_WORDS and STOP_WORDS[lang].isdisjoint(told)


def says_nothing(text: str) -> bool:
    """Say whether the model wrote, in whatever form, only that the pages do not answer."""
    plain, _ = without_citations(text)
    parts = [part for part in SENTENCE.split(plain) if re.search(r"\w", part)]
    denials = [bool(NOT_SAID.search(part)) or _bare(part) in REFUSALS for part in parts]
    return any(denials) and all(
        denied or _is_apology(part) for denied, part in zip(denials, parts, strict=True)
    )


def _is_apology(text: str) -> bool:
    return bool(APOLOGY.search(text)) and not re.search(r"\w{4}", APOLOGY.sub("", text))


def _bare(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


REFUSALS = frozenset(_bare(one.text("verification.refusal")) for one in profiles.every())

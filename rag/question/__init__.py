"""A question, read once: every later step asks the value, none reads the text again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from rag.core.documents import Vectors
from rag.core.protocols import Lexicon
from rag.core.records import Turn
from rag.language import analyzer
from rag.language.detection import question_language
from rag.language.profiles import FALLBACK
from rag.language.tokenizer import Token, tokens
from rag.question.everyday import written_for
from rag.question.follow_up import in_context, is_follow_up
from rag.question.intent import Intent, intent_of
from rag.question.normalization import corrected, polite_free, spaced

if TYPE_CHECKING:
    from rag.extraction.headings import Action
    from rag.question.signature import QuestionSignature
    from rag.question.small_talk import SmallTalk

MOST_WORDS = 128  # of a question


class QueryEncoder(Protocol):
    """Turn questions into vectors: an `Encoder`, of which nothing else is needed here."""

    @property
    def name(self) -> str:
        """Return the name and revision that an index remembers."""

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        """Encode questions. Returns (n, dimension) float32, unit rows. Raises: EncoderError."""


@dataclass(frozen=True, slots=True)
class Term:
    """Hold a word that matters and the stems under which it may stand in the index.

    ``is_frame``: it says what kind of thing is asked for (« prix », « délai »), not of what.
    """

    word: str
    stems: tuple[str, ...]
    is_frame: bool


@dataclass(frozen=True)
class Question:
    """Hold a question as it was read; what is worked out on demand is kept in the value.

    ``raw`` is what was typed, ``language`` (``fr`` or ``en``) what it is answered in.
    ``standalone`` is whole by itself: a follow-up with the topic of the question that it
    ``follows`` (empty: none), in words of ``own_language``, whatever the conversation's is.
    ``mends`` are its misspelt words, each with what to read instead.
    """

    raw: str
    language: str
    standalone: str
    own_language: str
    follows: str = ""
    mends: tuple[tuple[str, str], ...] = ()
    _vectors: dict[str, Vectors] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _signatures: dict[Lexicon | None, QuestionSignature] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def with_mends(self, mends: Mapping[str, str]) -> Question:
        """Return the question with its spelling mended; the retriever alone knows how."""
        return replace(self, mends=tuple(mends.items())) if mends else self

    @cached_property
    def search_text(self) -> str:
        """Return what is searched and answered: the whole question, its spelling mended."""
        return corrected(self.standalone, dict(self.mends))

    @cached_property
    def content_words(self) -> tuple[str, ...]:
        """Return the distinct words that matter before any is mended, at most `MOST_WORDS`."""
        found = analyzer.content_words(self.standalone, analyzer.languages(self.language))
        return tuple(found[:MOST_WORDS])

    @cached_property
    def search_words(self) -> tuple[str, ...]:
        """Return the same words mended: two that are misspelt may be meant for one."""
        mends = dict(self.mends)
        return tuple(dict.fromkeys(mends.get(word, word) for word in self.content_words))

    @cached_property
    def written(self) -> dict[str, tuple[str, ...]]:
        """Return what manuals write for words of the question, by each that people say."""
        return written_for(self.words, self.language)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Return the words of `search_text` in order, as `analyzer.words` does."""
        return tuple(analyzer.words(self.search_text))

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Return the distinct words of `search_text` that matter, in order."""
        langs = analyzer.languages(self.language)
        found: Sequence[str] = self.content_words
        if self.mends:
            found = analyzer.content_words(self.search_text, langs)
        frame = self.intent.frame
        framing = analyzer.words(frame) if frame else ()
        return tuple(
            Term(word, analyzer.query_stems(word, langs), word in framing) for word in found
        )

    @cached_property
    def intent(self) -> Intent:
        """Return what kind of answer is asked for."""
        return intent_of(self.search_text)

    @cached_property
    def small_talk(self) -> SmallTalk | None:
        """Return what kind of small talk it is, None where it asks something of the pages."""
        from rag.question.small_talk import small_talk_of

        return small_talk_of(self.raw)

    @cached_property
    def action(self) -> Action | None:
        """Return the action that it asks how to do, None where it names none."""
        from rag.extraction.headings import action_asked

        return action_asked(self.search_text, self.words)

    @cached_property
    def told(self) -> tuple[Token, ...]:
        """Return the words, numbers and signs of the whole question in order, without manners."""
        return tuple(polite_free(tokens(self.standalone)))

    @cached_property
    def normal_form(self) -> str:
        """Return what two questions have in common that are the same but for manners."""
        return spaced(self.told)

    def signature(self, lexicon: Lexicon | None = None) -> QuestionSignature:
        """Return what of it matters when it is compared with another, kept by lexicon.

        Without a lexicon, which tells whether a word is one, no misspelling is forgiven.
        """
        from rag.question.signature import signature_of

        if lexicon not in self._signatures:
            knows = lexicon.knows if lexicon else None
            self._signatures[lexicon] = signature_of(self.told, self.own_language, knows=knows)
        return self._signatures[lexicon]

    def vector(self, encoder: QueryEncoder, timeout_s: float = 60.0) -> Vectors:
        """Return the vector of `search_text`: (dimension,) float32; encoded once by each encoder.

        Raises: EncoderError.
        """
        name = encoder.name
        if name not in self._vectors:
            self._vectors[name] = encoder.encode_queries([self.search_text], timeout_s)[0]
        return self._vectors[name]


def read_question(text: str, history: Sequence[Turn] = ()) -> Question:
    """Read a question that comes after these turns, oldest first; nothing else reads it."""
    own = question_language(text)
    if not history:
        return Question(text, own, text, own)
    before = history[-1].contextual
    language = _language(text, own, before)
    if not is_follow_up(text, language) or (whole := in_context(text, before, language)) == text:
        return Question(text, language, text, own)
    return Question(text, language, whole, question_language(whole), before)


def _language(text: str, own: str, before: str) -> str:
    """Return ``fr`` or ``en``: the question's own language, or the conversation's if in doubt."""
    if own != FALLBACK or question_language(f"{text} the") == FALLBACK:
        return own
    return question_language(before)

"""Whether a question may be served another's answer: guards decide, the cosine confirms."""

from __future__ import annotations

from rag.cache.guards import guard
from rag.encoders.static import StaticEncoder
from rag.question import Question
from rag.question.signature import QuestionSignature

SLIP_COSINE = 0.80  # below, a word that looks misspelt may be another one
# chosen on the development half of tests/quality/cache_pairs.jsonl; docs/quality.md has the sweep
THRESHOLD = 0.40


def match(
    a: QuestionSignature, b: QuestionSignature, cosine: float, threshold: float = THRESHOLD
) -> bool:
    """Say whether b may be served a's answer: near enough, and no guard objects."""
    return cosine >= threshold and guard(a, b, slips=cosine >= SLIP_COSINE) is None


def explain(
    question: Question, other: Question, encoder: StaticEncoder, threshold: float = THRESHOLD
) -> tuple[bool, float, str | None]:
    """Return whether the other question would be served this one's answer, the cosine, the guard.

    Questions of one normal form hit with 1.0. The guard is None on a hit,
    ``content`` for a question without a word, and ``cosine`` where all
    guards agree and only the cosine is too low.
    """
    if question.normal_form and question.normal_form == other.normal_form:
        return True, 1.0, None
    cosine = float(question.vector(encoder) @ other.vector(encoder))
    one, another = question.signature(encoder), other.signature(encoder)
    named = guard(one, another, slips=cosine >= SLIP_COSINE)
    if named is None and cosine < threshold:
        named = "cosine"
    return named is None, cosine, named

"""Whether a question may be served another's answer: guards decide, the cosine confirms."""

from __future__ import annotations

from rag.cache.asked import Asked, asked
from rag.cache.guards import guard
from rag.cache.normalise import normal_form
from rag.core.protocols import Encoder

SLIP_COSINE = 0.80  # below, a word that looks misspelt may be another one
# chosen on the development half of tests/quality/cache_pairs.jsonl; docs/quality.md has the sweep
THRESHOLD = 0.40


def match(a: Asked, b: Asked, cosine: float, threshold: float = THRESHOLD) -> bool:
    """Say whether b may be served a's answer: near enough, and no guard objects."""
    return cosine >= threshold and guard(a, b, slips=cosine >= SLIP_COSINE) is None


def explain(
    question: str, other: str, encoder: Encoder, threshold: float = THRESHOLD
) -> tuple[bool, float, str | None]:
    """Return whether the other question would be served this one's answer, the cosine, the guard.

    Questions of one normal form hit with 1.0. The guard is None on a hit,
    ``content`` for a question without a word, and ``cosine`` where all
    guards agree and only the cosine is too low.
    """
    form = normal_form(question)
    if form and form == normal_form(other):
        return True, 1.0, None
    knows = getattr(encoder, "knows", None)
    vectors = encoder.encode_queries([question, other])
    cosine = float(vectors[0] @ vectors[1])
    one, another = asked(question, knows=knows), asked(other, knows=knows)
    named = guard(one, another, slips=cosine >= SLIP_COSINE)
    if named is None and cosine < threshold:
        named = "cosine"
    return named is None, cosine, named

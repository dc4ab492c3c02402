"""Words of help pages that stand for each other, and words that oppose each other."""

from __future__ import annotations

from rag.language import profiles

# one set a line (see fr.toml, which says what may stand in one)
SYNONYMS = {one.code: one.lines("lexicon.synonyms") for one in profiles.every()}
# near enough for a heading to name what a question asks how to do, not to take its place in it
NEAR = {one.code: one.lines("lexicon.near") for one in profiles.every()}
# words of all languages that oppose those beside them
ANTONYMS = profiles.opposed_sides("lexicon.antonyms")

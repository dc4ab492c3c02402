"""The small words of all languages: those that may go, and those that tell a question apart.

What stands in none of these tables is a content word, and no content word may be left over when two
questions are compared.
"""

from __future__ import annotations

from rag.language import profiles
from rag.language.analyzer import fold

SILENT = {one.code: one.words("words.silent") for one in profiles.every()}
ACCENTED = profiles.union("words.accented")
NOUNS_TOO = profiles.union("words.nouns_too")
ARTICLES = profiles.union("words.articles")
CAN = profiles.union("words.verb.can")
MUST = profiles.union("words.verb.must")
NEGATIONS = profiles.merged("polarity.negations")
PERSONS = profiles.union("words.person.subjects")
OTHERS = profiles.union("words.person.others")
THEIRS = profiles.union("words.person.theirs")
ONES = profiles.union("words.person.ones")
YOURS = profiles.union("words.person.yours")
OURS = profiles.union("words.person.ours")
ASKERS = profiles.union("words.person.askers")
REFERRING = profiles.union("words.referring")
REFLEXIVE = profiles.union("words.person.reflexive")
FUTURE = profiles.union("words.verb.future")
PAST = profiles.union("words.verb.past")
HAVING = {one.code: one.words("words.verb.have") for one in profiles.every()}
BEING = {one.code: one.words("words.verb.be") for one in profiles.every()}
PARTICIPLES = profiles.union("words.verb.participles")
ROLES = {one.code: one.table("words.role") for one in profiles.every()}
GENDERS = profiles.merged("words.gender")
DETERMINERS = profiles.union("words.determiners")
QUANTITIES = profiles.merged("quantities")
NUMBERS = {
    word: number
    for name in ("cardinals", "asked", "ordinals")
    for word, number in profiles.merged(f"numbers.{name}").items()
}
DATES = (
    profiles.union("dates.periods")
    | frozenset(map(fold, profiles.union("dates.months")))
    | frozenset(map(fold, profiles.union("dates.days")))
)
UNITS = profiles.union("units.symbols") | profiles.union("units.names")
LIGHT = profiles.union("words.light")
REPEATED = profiles.union("words.repeated")
NEW = profiles.union("words.new")
WRAPPERS = profiles.union("words.wrappers")
COMPANIONS = profiles.union("words.companions")
CREATING_TOO = profiles.union("words.creating")

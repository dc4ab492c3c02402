"""The small words of French and English: those that may go, and those that tell a question apart.

What stands in none of these tables is a content word, and no content word may be left over when two
questions are compared.
"""

from __future__ import annotations


def _table(lines: dict[str, str]) -> dict[str, str]:
    return {word: value for value, words in lines.items() for word in words.split()}


SILENT = {
    "fr": frozenset(
        "le la les l un une des du de au aux a en dans sur par pour chez vers que qu y t ce ceci "
        "cet cette ces est sont suis es etre sommes etes soit ai as avons avez ont avait aura n "
        "je on nous vous tu me te se s moi toi soi il elle ils elles lui eux ca cela qui dont afin "
        "mon ma mes ton ta tes notre nos votre vos son sa ses leur leurs et donc alors "
        "etait etaient etais avaient avais fut sera seront serai auront".split()
    ),
    "en": frozenset(
        "a the an of to in on at by for into onto from via through my our your his her its their "
        "this that these those i you we they he she it me us them do does did is are am be been "
        "being was were has have had having and will would shall there so s".split()
    ),
}
# small words that have an accent; any other word with one is no small word (dû, sûr)
ACCENTED = frozenset("à ça où être êtes étais était étaient obligé obligés".split())
# after a determiner these are nouns: *le son*, *un bien*, *the will*
NOUNS_TOO = frozenset("son ton etre pouvoir can may might must will do".split())
ARTICLES = frozenset("le un du au les des ce quel a an the".split())
CAN = frozenset(
    "peux peut peuvent puis pouvez pouvons pouvoir pourrais pourrait pourra pourrai can could "
    "may might able possible impossible unable".split()
)
MUST = frozenset(
    "dois doit doivent devons devez devrais devrait devra faut faudrait faudra falloir must "
    "should ought obligatoire oblige obliges mandatory compulsory obliged".split()
)
NEGATIONS = _table(
    {
        "not": "ne not non pas impossible unable",
        "never": "jamais never",
        "no more": "plus longer anymore",
        "nothing": "rien nothing",
        "nobody": "personne nobody",
        "none": "aucun aucune",
    }
)
PERSONS = frozenset("je on tu nous vous i you we".split())
OTHERS = frozenset("elle ils elles he she they".split())
YOU = frozenset("tu vous you".split())
THEIRS = frozenset("leur leurs his her their".split())
# *changer son mot de passe* is anyone's, *peut-il changer son mot de passe* is not
ONES = frozenset("son sa ses".split())
YOURS = frozenset("votre vos ton ta tes your".split())
OURS = frozenset("notre nos our".split())
ASKERS = frozenset("i we one je on nous".split())
REFERRING = frozenset("le la les l lui leur ca cela celui celle it them this that those".split())
REFLEXIVE = frozenset("me te se s".split())
FUTURE = frozenset("sera seront serai aura auront vais va vont allons allez will shall".split())
PAST = frozenset("etait etaient etais avait avaient avais fut was were did had".split())
HAVING = {
    "fr": frozenset("a ai as avons avez ont avait avais avaient aura auront avoir".split()),
    "en": frozenset("has have had having".split()),
}
BEING = {
    "fr": frozenset(
        "est sont suis es etre sommes etes soit etait etais etaient fut sera seront serai".split()
    ),
    "en": frozenset("is are am be was were".split()),
}
PARTICIPLES = frozenset(
    "paid sent made done seen sold bought found given taken written shown kept lost held built "
    "left set put read known drawn chosen broken hidden spent lent told taught brought caught "
    "begun gone come run won met led fed split cut shut hit cost hurt reset overdrawn forgotten "
    "frozen stolen spoken driven thrown grown withdrawn understood sought".split()
)
ROLES = {
    "fr": _table(
        {
            "source": "de du d", "goal": "a au aux vers", "en": "en", "by": "par via",
            "for": "pour", "place": "dans sur chez",
            "object": "le la les l un une mon ma mes ce cet cette notre nos",
        }
    ),
    "en": _table(
        {
            "source": "from", "of": "of", "goal": "to into onto", "by": "by via through",
            "for": "for", "place": "in on at", "object": "the a an my our",
        }
    ),
}  # fmt: skip
# two roles that may not stand for each other; an unmarked word goes with any
OPPOSED = frozenset(
    pair
    for one, others in {
        "source": "object goal en by for place", "goal": "by for object of",
        "by": "for en place object of",
        "en": "for object of", "for": "place object of", "place": "object of",
    }.items()
    for other in others.split()
    for pair in ((one, other), (other, one))
)  # fmt: skip
GENDERS = _table({"m": "le un du au cet", "f": "la une cette"})
DETERMINERS = frozenset(
    "le la les l un une des du au aux ce cet cette ces mon ma mes ton ta tes son sa ses notre "
    "nos votre vos leur leurs the an my your our his her its their this that these those "
    "quel quelle quels quelles which chaque tout tous toute toutes".split()
)
QUANTITIES = _table(
    {
        "all": "tous toutes tout toute all every entire whole ensemble totalite",
        "each": "chaque each",
        "several": "plusieurs several multiple many quelques some few divers certains certaines",
        "none": "aucun aucune no",
        "only": "seul seule seuls seules seulement uniquement only single",
        "more": "plus more davantage",
        "less": "moins less fewer",
        "half": "moitie demi half",
        "any": "any n_importe",
    }
)
NUMBERS = _table(
    {
        "0": "zero", "1": "one", "2": "deux two", "3": "trois three", "4": "quatre four",
        "5": "cinq five", "6": "six", "7": "sept seven", "8": "huit eight", "9": "neuf nine",
        "10": "dix ten", "11": "onze eleven", "12": "douze twelve", "20": "vingt twenty",
        "30": "trente thirty", "50": "cinquante fifty", "100": "cent hundred",
        "1000": "mille thousand",
        "1st": "premier premiere premiers premieres 1er 1ere first 1st",
        "2nd": "deuxieme second seconde 2e 2eme 2nd", "3rd": "troisieme third 3e 3eme 3rd",
        "4th": "quatrieme fourth 4e 4eme 4th", "5th": "cinquieme fifth 5e 5eme 5th",
    }
)  # fmt: skip
DATES = frozenset(
    "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre "
    "january february march april may june july august september october november december "
    "lundi mardi mercredi jeudi vendredi samedi dimanche monday tuesday wednesday thursday "
    "friday saturday sunday hier demain aujourdhui yesterday tomorrow today jour semaine mois "
    "trimestre semestre annee an day week month quarter year matin soir midi minuit "
    "prochain prochaine dernier derniere precedent precedente suivant suivante next "
    "previous last".split()
)
UNITS = frozenset(
    "% ‰ € $ £ ° mg g kg t q ml cl dl l hl mm cm m km m2 m3 m² m³ ha are ares hectare acre "
    "kilo kilogramme gramme tonne quintal litre hectolitre metre kilometre gallon pound livre "
    "ounce pouce inch euro dollar franc centime bouteille magnum caisse carton palette barrique "
    "bottle case box pallet barrel octet go mo ko gb mb kb seconde minute heure second hour "
    "h min pourcent percent degre degree".split()
)
LIGHT = frozenset("faire fait fais faites effectuer effectue realiser realise perform".split())
REPEATED = frozenset("deja already".split())
NEW = frozenset("nouveau nouvel nouvelle nouveaux nouvelles new".split())
# `fiche client` and `client record` are the client's, as far as help pages go
WRAPPERS = frozenset("fiche record".split())

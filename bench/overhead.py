"""Time what the pipeline itself costs a question: no encoder, no index, no model.

    python bench/overhead.py [--asks 1000] [--json]
    python bench/overhead.py --asks 200 --profile     # where it goes; a profiler makes all slower

A retriever that finds the same five chunks at once, an encoder of zeros, a model that writes one
token at once, no cache; the rest is what ships: language, gate, extract, prompt, slot, budget,
check. No question is asked twice, pages are. `retriever_ms` is what the shipped retriever adds over
a store that answers at once: spelling, fusion, reading of the legs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import asyncio
import cProfile
import json
import pstats
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import numpy

sys.path.insert(0, str(Path(__file__).parent.parent))

from rag.assistant import Assistant
from rag.deadline import Deadline
from rag.diagnostics.machine import machine
from rag.diagnostics.timings import since_ms, spread, time_question
from rag.prompt import Prompt, whole_tokens
from rag.retriever import Evidence, Retrieval, Retriever
from rag.types import Chunk, Hit, IndexMeta, PageRecord, SearchLegs, Usage, Vectors
from rag.writing.speed import SpeedBook
from rag.writing.writer import Writer

SHOWN = 40  # functions of a profile
QUESTIONS = (
    "Comment créer un client ?",
    "Où changer l'adresse d'un client ?",
    "Comment facturer un acompte ?",
    "Pourquoi une facture reste-t-elle en brouillon ?",
    "Quel est le délai pour rendre une palette consignée ?",
    "Comment annuler une commande déjà préparée ?",
    "Peut-on fusionner deux fiches ?",
    "Combien de tarifs un client peut-il avoir ?",
    "Que devient le stock après un retour ?",
    "Comment exporter la liste des clients ?",
    "supprimer un client en double",
    "Quand l'avoir est-il envoyé ?",
    "Comment donner un tarif professionnel à un caviste ?",
    "Qui peut voir les prix d'achat ?",
    "Où trouver le numéro de TVA d'un client ?",
    "Comment imprimer un bon de livraison sans les prix ?",
    "Qu'est-ce qu'un compte client bloqué ?",
    "Faut-il valider une commande avant de la livrer ?",
    "Comment relancer une facture impayée ?",
    "Quelle remise accorder à partir de six cartons ?",
)
WHERE = (
    "pour un caviste|pour un particulier|depuis la fiche|depuis la liste|dans le menu|"
    "chez un client étranger|sur la tablette|avec un code|sans adresse|après une erreur"
).split("|")
WHEN = ("aujourd'hui", "avant la fin du mois", "cette année", "après la livraison", "en avance")
TEXTS = (
    """Ouvrez Ventes > Clients, puis cliquez sur Nouveau. La fiche d'un client s'ouvre.
1. Saisissez son nom et son adresse.
2. Choisissez son tarif : particulier ou professionnel.
3. Cliquez sur Enregistrer. Le client paraît dans la liste.""",
    """Une facture en brouillon se modifie et se supprime. Une fois validée, elle ne se modifie \
plus : il faut créer un avoir.
Ouvrez la facture, cliquez sur Plus > Créer un avoir, puis choisissez Avoir total ou Avoir \
partiel. L'avoir porte le numéro suivant de sa série.""",
    """Le délai de retour d'une palette consignée est de 30 jours. Passé ce délai, la consigne est \
facturée 24,50 € par palette.
- Les palettes rendues s'enregistrent dans Stocks > Consignes.
- Le solde d'un client se lit sur sa fiche, onglet Consignes.""",
    """Remise | À partir de | Pour qui
5 % | 6 cartons | particuliers
10 % | 12 cartons | particuliers et cavistes
15 % | 60 cartons | cavistes seulement""",
    """Pour exporter la liste des clients, ouvrez Ventes > Clients et cliquez sur Exporter. Le \
fichier contient les colonnes affichées, dans leur ordre.
Seuls les administrateurs voient les prix d'achat. Les autres droits se règlent dans Paramètres > \
Utilisateurs.""",
)
CHUNKS = {
    f"{n}": Chunk(
        id=f"{n}",
        page=f"clients/{n}.md",
        position=0,
        title=f"Clients et factures {n}",
        headings=("Pas à pas",),
        url=f"/aide/{n}",
        lang="fr",
        text=text,
    )
    for n, text in enumerate(TEXTS)
}
HITS = tuple(Hit(chunk, 0.9 - n / 100, n + 1) for n, chunk in enumerate(CHUNKS.values()))
FOUND = Retrieval(
    HITS, Evidence(score=0.9, margin=0.2, words=0.9, coverage=1.0, unknown=0.0, length=3)
)
META = IndexMeta("zeros", 768, 1)


class FixedRetriever:
    """Find the same five chunks for every question."""

    def retrieve(
        self, question: str, k: int = 5, *, page: str | None = None, timeout_s: float = 10.0
    ) -> Retrieval:
        """Return the hits as they are, with the evidence that they answer."""
        return FOUND


class FixedStore:
    """Find the same five chunks for every question."""

    def meta(self, timeout_s: float = 5.0) -> IndexMeta:
        """Return what it says of itself."""
        return META

    def search(
        self, vector: Vectors | None, words: Sequence[str], k: int, timeout_s: float
    ) -> SearchLegs:
        """Return the chunks in order."""
        knn = [(i, 0.8 - n / 100) for n, i in enumerate(CHUNKS)]
        bm25 = [(i, 9.0 - n) for n, i in enumerate(CHUNKS)]
        return SearchLegs(knn, bm25, [5] * len(words), 500)

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return the words as they are."""
        return {word: word for word in words}

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids."""
        return {i: CHUNKS[i] for i in ids if i in CHUNKS}

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return a page for each chunk."""
        found = {chunk.page: chunk for chunk in CHUNKS.values() if chunk.page in ids}
        return {
            page: PageRecord(page, "/pages", "hash", chunk.title, chunk.url, "fr", (chunk.id,))
            for page, chunk in found.items()
        }


class ZeroEncoder:
    """Encode everything as zeros."""

    name = META.encoder
    dimension = META.dimension

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        """Return zeros."""
        return numpy.zeros((len(texts), self.dimension), numpy.float32)

    encode_passages = encode_queries

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return a number."""
        return [1] * len(texts)


class OneToken:
    """Write one token, at once."""

    name = "one-token"

    async def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str | Usage, None]:
        """Yield a word, then what it cost."""
        yield "Oui."
        yield Usage(whole_tokens(prompt), 1, prompt_s=0.1, output_s=0.001)


async def measure(asks: int) -> dict[str, Any]:
    """Ask in turn, after some asks that are not counted; return the milliseconds of each part."""
    store: Any = FixedStore()
    retriever: Any = FixedRetriever()
    writer = Writer(OneToken(), SpeedBook(), timeout_s=10.0)
    assistant = Assistant(store, retriever, writer, timeout_s=10.0, encoder=ZeroEncoder())
    questions = different_questions()
    for question in islice(questions, 2 * len(QUESTIONS)):
        await time_question(assistant, question)
    start = time.process_time()
    counted = [await time_question(assistant, one) for one in islice(questions, asks)]
    processor_ms = (time.process_time() - start) * 1000 / asks
    searches = (timing.answer.timings.get("search_ms") for timing in counted)
    return {
        "asks": asks,
        "processor_ms": round(processor_ms, 3),
        "first_event_ms": spread(timing.first_event_ms for timing in counted),
        "last_event_ms": spread(timing.last_event_ms for timing in counted),
        "search_ms": spread(ms for ms in searches if ms is not None),
        "retriever_ms": spread(retrievals(store, asks)),
    }


def different_questions() -> Iterator[str]:
    """Yield a thousand questions, none twice, again and again."""
    for when, where, question in cycle(product(WHEN, WHERE, QUESTIONS)):
        yield f"{question.rstrip(' ?')} {where} {when} ?"


def retrievals(store: Any, asks: int) -> list[float]:
    """Return the milliseconds that each search of the shipped retriever takes by itself."""
    retriever = Retriever(store, ZeroEncoder(), None, None, META)
    times = []
    for question in islice(different_questions(), asks):
        start = time.perf_counter()
        retriever.retrieve(question)
        times.append(since_ms(start))
    return times


def profile(asks: int) -> None:
    """Print the project's functions in which most time passes."""
    profiler = cProfile.Profile()
    profiler.runcall(lambda: asyncio.run(measure(asks)))
    pstats.Stats(profiler).sort_stats("cumtime").print_stats("/rag/", SHOWN)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asks", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        profile(options.asks)
        return
    report = {"environment": machine(), **asyncio.run(measure(options.asks))}
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, value in report.items():
        print(f"{name:15} {value}")


if __name__ == "__main__":
    main()

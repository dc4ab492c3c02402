"""A week of questions, drawn from a seed: raw events, and the records that they are written as."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rag.analytics.recorder import question_hash
from rag.core.records import Feedback, JournalEntry, Record, rounded

# question -> its page; the pages' own questions are among them
ANSWERED = {
    "Créer un client": ("clients/creer.md", "Créer un client"),
    "Comment ajouter un acheteur ?": ("clients/creer.md", "Créer un client"),
    "Comment fusionner deux fiches ?": ("clients/fusionner.md", "Fusionner deux clients"),
}
UNANSWERED = {
    "Peut-on payer en bitcoin ?": ("clients/creer.md", "Créer un client"),
    "Comment payer avec des bitcoins ?": ("clients/creer.md", "Créer un client"),
    "Quel temps fera-t-il demain ?": ("stocks/inventaire.md", "Faire l'inventaire"),
}
Event = dict[str, Any]


def week(seed: int, last: datetime, questions: int = 400) -> list[Event]:
    """Return a week's events, in no order; ``last`` is the latest moment."""
    draw = random.Random(seed)
    return [_event(draw, number, last) for number in range(questions)]


def _event(draw: random.Random, number: int, last: datetime) -> Event:
    answered = draw.random() < 0.8
    question = draw.choice(sorted(ANSWERED if answered else UNANSWERED))
    failed = answered and draw.random() < 0.05
    degraded = failed or (answered and draw.random() < 0.2)
    kept = answered and not degraded and draw.random() < 0.4
    page, title = (ANSWERED if answered else UNANSWERED)[question]
    writing_ms = round(draw.uniform(1_000, 8_000), 1) if answered and not degraded else 0.0
    return {
        "id": f"{number:032x}",
        "at": rounded(last - timedelta(seconds=draw.uniform(0, 6.5 * 86_400))),
        "question": question,
        "page": page,
        "title": title,
        "answered": answered and not failed,
        "degraded": degraded,
        "reason": ("unsearched" if failed else draw.choice(["late", "busy"])) if degraded else None,
        "cached": draw.choice(["exact", "semantic"]) if kept else None,
        "first_ms": round(draw.expovariate(1 / 80), 1),
        "total_ms": round(draw.uniform(2, 30) if kept else draw.uniform(50, 9_000), 1),
        "writing_ms": writing_ms,
        "channel": draw.choice(["http", "websocket", "websocket"]),
        "opinion": draw.choice([None, None, None, True, False]),
        "comment": draw.choice([None, "Pas clair", "Le bouton a changé"]),
    }


def records(event: Mapping[str, Any], key: bytes, *, texts: bool) -> list[Record]:
    """Return what the journal holds of an event."""
    page = None if event["reason"] == "unsearched" else event["page"]
    asked = JournalEntry(
        at=event["at"],
        answer_id=event["id"],
        question=question_hash(event["question"], key),
        lang="fr",
        channel=event["channel"],
        text=event["question"] if texts else None,
        page=page if event["answered"] else None,
        sources=(page,) if event["answered"] and page else (),
        nearest=page,
        title=event["title"] if page else "",
        answered=event["answered"],
        degraded=event["degraded"],
        cached=event["cached"],
        reason=event["reason"],
        first_text_ms=event["first_ms"],
        total_ms=event["total_ms"],
        writing_ms=event["writing_ms"],
        model="phi3:mini" if event["writing_ms"] else None,
    )
    if event["opinion"] is None:
        return [asked]
    comment, helpful = event["comment"], event["opinion"]
    said = comment if texts else None
    return [asked, Feedback(event["at"], event["id"], helpful, comment is not None, said)]

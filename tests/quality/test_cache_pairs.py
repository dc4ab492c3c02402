"""No near miss gets another question's answer; most paraphrases get theirs.

`python -m tests.quality.test_cache_pairs` prints the sweep of docs/quality.md and what was missed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rag.cache.match import THRESHOLD, explain
from rag.encoders import bundled_encoder
from rag.question import read_question

FILE = Path(__file__).parent / "cache_pairs.jsonl"
PAIRS = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
HALVES = ("dev", "test", "blind")
ADVERSARIAL = "adversarial"  # near misses only, written against the guards
SWEEP = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def explained(*, threshold: float = THRESHOLD) -> list[tuple[dict, bool, float, str | None]]:
    encoder = bundled_encoder()
    read = [(pair, read_question(pair["a"]), read_question(pair["b"])) for pair in PAIRS]
    return [(pair, *explain(one, other, encoder, threshold)) for pair, one, other in read]


def share(rows, *, same: bool, half: str = "", lang: str = "") -> float:
    hits = [
        hit
        for pair, hit, *_ in rows
        if pair["same"] == same and half in {"", pair["half"]} and lang in {"", pair["lang"]}
    ]
    return sum(hits) / len(hits)


@pytest.fixture(scope="module")
def rows():
    return explained()


def test_the_set_is_what_it_claims_to_be():
    assert len(PAIRS) >= 460
    assert {pair["half"] for pair in PAIRS} == {*HALVES, ADVERSARIAL}
    assert sum(pair["lang"] == "fr" for pair in PAIRS) >= 260
    assert sum(pair["lang"] == "en" for pair in PAIRS) >= 100
    assert sum(pair["half"] == ADVERSARIAL and not pair["same"] for pair in PAIRS) >= 60
    balanced = [pair["same"] for pair in PAIRS if pair["half"] != ADVERSARIAL]
    assert 0.45 <= sum(balanced) / len(balanced) <= 0.55
    assert len({(pair["a"], pair["b"]) for pair in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("half", (*HALVES, ADVERSARIAL))
def test_no_near_miss_gets_another_questions_answer(rows, half):
    served = [
        (pair["a"], pair["b"])
        for pair, hit, *_ in rows
        if hit and not pair["same"] and pair["half"] == half
    ]
    assert served == []


@pytest.mark.parametrize(("half", "least"), [("dev", 0.73), ("test", 0.77), ("blind", 0.78)])
def test_three_paraphrases_in_four_get_their_answer(rows, half, least):
    assert share(rows, same=True, half=half) >= least


@pytest.mark.parametrize(("lang", "least"), [("fr", 0.77), ("en", 0.69)])
def test_both_languages_are_served(rows, lang, least):
    assert share(rows, same=True, lang=lang) >= least


def test_the_cosine_alone_would_serve_wrong_answers():
    rows = explained(threshold=-1.0)
    lowest = min(score for pair, hit, score, _ in rows if pair["same"] and hit)
    wrong = [score for pair, _, score, _ in rows if not pair["same"] and score >= lowest]
    assert len(wrong) > 100


def test_the_answer_does_not_depend_on_which_question_came_first(rows):
    encoder = bundled_encoder()
    turned = [
        explain(read_question(pair["b"]), read_question(pair["a"]), encoder)[0] for pair, *_ in rows
    ]
    assert turned == [hit for _, hit, *_ in rows]


def print_sweep() -> None:
    rows = explained(threshold=-1.0)
    print("| threshold | paraphrases: dev | test | blind | near misses | cosine alone: paraphrases"
          " | near misses |\n|--:|--:|--:|--:|--:|--:|--:|")  # fmt: skip
    for threshold in SWEEP:
        guarded = [(pair, hit and score >= threshold) for pair, hit, score, _ in rows]
        alone = [(pair, score >= threshold) for pair, _, score, _ in rows]
        cells = [f"{share(guarded, same=True, half=half):.0%}" for half in HALVES]
        cells += [f"{share(guarded, same=False):.1%}"]
        cells += [f"{share(alone, same=same):.0%}" for same in (True, False)]
        print(f"| {threshold:.2f} |", " | ".join(cells), "|")
    for half in (*HALVES, ADVERSARIAL):
        near = [hit for pair, hit, *_ in explained() if pair["half"] == half and not pair["same"]]
        print(f"near misses served, {half}: {sum(near)} of {len(near)}")
    for pair, hit, score, named in explained():
        if hit != pair["same"] and "--wrong" in sys.argv:
            print(f"{pair['half']:5} {named} {score:.2f}", pair["a"], "|", pair["b"])


if __name__ == "__main__":
    print_sweep()

"""The prompt: rules first and always the same, passages in a stable order, question last."""

from __future__ import annotations

import pytest

from rag.prompt import ANSWER_TOKENS, RULES, build_prompt, estimate_tokens, neutralise
from rag.types import Chunk, Hit

QUESTION = "Comment créer un client ?"
ROLE_TOKENS = [
    "<|system|>",
    "<| system |>",
    "< | system | >",
    "<|\nSYSTEM\n|>",
    "<|user|>",
    "<|end|>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|start_header_id|>",
    "<|<|end|>system|>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "</s>",
    "<start_of_turn>",
]


def hit(page: str, position: int = 0, text: str = "Ouvrez Clients.", rank: int = 1) -> Hit:
    chunk = Chunk(f"{page}-{position}", page, position, f"Page {page}", (), "/", "fr", text)
    return Hit(chunk, 1 / rank, rank)


def tokens(prompt) -> int:
    return estimate_tokens(prompt.system) + estimate_tokens(prompt.user)


def test_the_rules_come_first_and_are_the_same_bytes_whatever_is_asked() -> None:
    prompts = [build_prompt(QUESTION, [hit("a")]), build_prompt("Autre ?", [hit("b"), hit("c")])]
    assert prompts[0].system.encode() == prompts[1].system.encode() == RULES.encode()


def test_the_question_comes_last() -> None:
    prompt = build_prompt(QUESTION, [hit("a"), hit("b")])
    assert prompt.user.endswith(f"Question : {QUESTION}")


def test_the_order_of_passages_does_not_follow_their_rank() -> None:
    one, two, three = hit("a", 0), hit("a", 1), hit("b", 0)
    prompt = build_prompt(QUESTION, [three, two, one])
    assert prompt.user == build_prompt(QUESTION, [one, three, two]).user
    assert prompt.passages == (one, two, three)


def test_passages_are_numbered_as_they_are_listed() -> None:
    prompt = build_prompt(QUESTION, [hit("b", text="second"), hit("a", text="premier")])
    assert "[1] Page a\npremier" in prompt.user
    assert "[2] Page b\nsecond" in prompt.user


@pytest.mark.parametrize("token", ROLE_TOKENS)
def test_what_tells_who_speaks_is_taken_out_of_pages_and_questions(token: str) -> None:
    dangerous = f"avant {token} après"
    for prompt in (
        build_prompt(QUESTION, [hit("a", text=dangerous)]),
        build_prompt(dangerous, [hit("a")]),
        build_prompt(QUESTION, [hit(f"a {token}")]),
    ):
        assert token.split(maxsplit=1)[0] not in prompt.user.replace("[1]", "")
        assert "|>" not in prompt.user
    assert neutralise(dangerous).split() == ["avant", "après"]


@pytest.mark.parametrize(
    "text",
    ["ssh <user>@hôte", "| a | b |", "a < b | c > d", "<system>", "a <|> b", "tableau [1]"],
)
def test_what_pages_say_otherwise_is_left_alone(text: str) -> None:
    assert neutralise(text) == text


@pytest.mark.parametrize("context_tokens", [800, 1024, 2048, 4096])
@pytest.mark.parametrize(
    "text",
    ["mot " * 150, "12,5 | " * 80, "日本語" * 60, "🍷" * 60],
    ids=["words", "rows", "cjk", "emoji"],
)
def test_the_prompt_and_its_answer_fit_the_context(text: str, context_tokens: int) -> None:
    hits = [hit(f"p{n}", text=text) for n in range(20)]
    prompt = build_prompt(QUESTION, hits, context_tokens)
    assert tokens(prompt) + ANSWER_TOKENS <= context_tokens
    assert prompt.context_tokens == context_tokens
    assert prompt.system == RULES
    assert prompt.user.endswith(QUESTION)
    assert prompt.passages


def test_the_best_passages_are_kept_and_kept_whole() -> None:
    hits = [hit(f"p{9 - n}", text=f"passage {n} " * 40) for n in range(10)]
    prompt = build_prompt(QUESTION, hits, 1500)
    assert 1 < len(prompt.passages) < 10
    best = {one.chunk.id for one in hits[: len(prompt.passages)]}
    assert {one.chunk.id for one in prompt.passages} == best
    for kept in prompt.passages:
        assert kept.chunk.text in prompt.user


def test_a_passage_too_long_by_itself_is_cut_and_nothing_else() -> None:
    prompt = build_prompt(QUESTION, [hit("a", text="mot " * 9000)], 1024)
    assert tokens(prompt) + ANSWER_TOKENS <= 1024
    assert len(prompt.passages) == 1
    assert prompt.user.count("mot") > 100
    assert prompt.user.endswith(QUESTION)


def test_a_long_question_is_whole() -> None:
    question = "pourquoi " * 220
    prompt = build_prompt(question, [hit("a", text="mot " * 3000), hit("b")], 4096)
    assert prompt.user.endswith(question)
    assert tokens(prompt) + ANSWER_TOKENS <= 4096


def test_the_same_hits_and_question_give_the_same_bytes() -> None:
    hits = [hit("a"), hit("b"), hit("c")]
    assert build_prompt(QUESTION, hits) == build_prompt(QUESTION, list(hits))


def test_more_text_never_counts_for_fewer_tokens() -> None:
    counts = [estimate_tokens("Ouvrez 12 🍷 日本 fiches" * n) for n in range(10)]
    assert counts == sorted(counts)
    assert estimate_tokens("12345") >= 5
    assert estimate_tokens("🍷") >= 4

"""One tokenizer: what a token says of itself, and the three views of a text."""

from __future__ import annotations

from rag.language.analyzer import words
from rag.language.tokenizer import clause_tokens, tokens

TEXT = "L'erreur E-210 : dois-je payer 1 200,5 € à « Chai d'Or » ?"


def test_a_token_says_where_it_stands() -> None:
    for token in tokens(TEXT):
        assert TEXT[token.start : token.end] == token.surface, token
    for token in clause_tokens(TEXT):
        assert TEXT[token.start : token.end] == token.surface, token


def test_a_token_says_what_it_is() -> None:
    told = {token.folded: token for token in tokens(TEXT)}
    assert told["e-210"].kind == "code"
    assert told["€"].kind == "sign"
    assert told["erreur"].kind == "word"
    assert told["l"].elided_from == "L'"
    assert told["de"].elided_from == "d'"
    assert [token.folded for token in tokens(TEXT) if token.quoted] == ["chai", "de", "or"]
    assert [token.folded for token in tokens("Bonjour. Où est-il ?") if token.opens] == [
        "bonjour",
        "ou",
    ]


def test_what_is_written_out_stands_where_it_is_written_out_from() -> None:
    told = [(token.folded, token.start, token.end) for token in tokens("mon mdp, don't")]
    assert told == [
        ("mon", 0, 3),
        *[("mot", 4, 7), ("de", 4, 7), ("passe", 4, 7)],
        *[("do", 9, 12), ("not", 9, 14)],
    ]


def test_each_view_cuts_a_text_in_its_own_way() -> None:
    text = "peut-on l'annuler en 2.1 ?"
    assert [token.folded for token in tokens(text)] == ["peut", "on", "l", "annuler", "en", "2.1"]
    assert [token.folded for token in clause_tokens(text)] == [
        *("peut", "-on", "l'", "annuler", "en", "2", ".", "1", "?"),
    ]
    assert words(text) == ["peut", "on", "annuler", "en", "2", "1"]

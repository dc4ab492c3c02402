"""Words and subwords: from a text to word numbers, from a word to its subwords."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

SPECIALS = ["[PAD]", "[UNK]"]
MIN_TYPO_LENGTH = 4
LONGEST_WORD = 60


def new_tokenizer() -> Tokenizer:
    """Return an untrained WordPiece tokenizer: lower case, no accents, no punctuation.

    No subword spans two words, so a text's subwords are those of its words put end to end
    and a reader may cache whole words.
    """
    tokenizer = Tokenizer(
        models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.Lowercase(),
            normalizers.StripAccents(),
            normalizers.Replace("œ", "oe"),
            normalizers.Replace("æ", "ae"),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\p{L}\p{N}]+"), "removed")
    return tokenizer


def train_tokenizer(tokenizer: Tokenizer, counts: dict[str, int], vocabulary: int) -> None:
    """Learn `vocabulary` subwords from words and how often each was met."""
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIALS,
        min_frequency=2,
        limit_alphabet=120,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_repeated(counts), trainer)


def _repeated(counts: dict[str, int], at_once: int = 200) -> Iterator[str]:
    for word, count in counts.items():
        for done in range(0, count, at_once):
            yield " ".join([word] * min(at_once, count - done))


class Lexicon:
    """Number words in the order in which they are met."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.numbers: dict[str, int] = {}
        self._tokenizer = tokenizer

    def read(self, text: str) -> np.ndarray:
        """Return the numbers of a text's words, (words,) int32; unseen words get a new number."""
        normal = self._tokenizer.normalizer.normalize_str(text)
        words = self._tokenizer.pre_tokenizer.pre_tokenize_str(normal)
        numbers = self.numbers
        return np.array([numbers.setdefault(w, len(numbers)) for w, _ in words], np.int32)

    def counts(self, texts: Iterable[np.ndarray]) -> dict[str, int]:
        """Return how often each known word stands in the texts."""
        total = np.bincount(np.concatenate(list(texts)), minlength=len(self.numbers))
        return {word: int(total[n]) for word, n in self.numbers.items() if total[n]}


class Spelling:
    """Know the subwords of every word of a lexicon, spelt right and misspelt.

    Word `w` of `n` is itself; `w + n`, `w + 2n`… are misspelt variants of it.
    """

    def __init__(
        self, tokenizer: Tokenizer, words: Sequence[str], variants: int, seed: int
    ) -> None:
        chance = random.Random(seed)
        spelt = list(words)
        for _ in range(variants):
            spelt += [misspell(word, chance) for word in words]
        lists = [
            [i for i in encoding.ids if i >= len(SPECIALS)]
            for encoding in tokenizer.encode_batch(spelt, add_special_tokens=False)
        ]
        lengths = np.array([len(ids) for ids in lists], np.int64)
        self.subwords = np.array([i for ids in lists for i in ids], np.int64)
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.words, self.variants = len(words), variants

    def bags(
        self, texts: Sequence[np.ndarray], typo_rate: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (text number, subword id) of every subword of the texts, two int64 arrays."""
        sizes = np.array([len(text) for text in texts], np.int64)
        words = np.concatenate(texts).astype(np.int64)
        if typo_rate and self.variants:
            wrong = rng.random(len(words)) < typo_rate
            shift = self.words * rng.integers(1, self.variants + 1, len(words))
            words = np.where(wrong, words + shift, words)
        lengths = self.starts[words + 1] - self.starts[words]
        before = np.cumsum(lengths) - lengths
        places = np.repeat(self.starts[words] - before, lengths) + np.arange(lengths.sum())
        owners = np.repeat(np.repeat(np.arange(len(texts)), sizes), lengths)
        return owners, self.subwords[places]


def misspell(word: str, chance: random.Random) -> str:
    """Return the word with one slip of the fingers: letters swapped, dropped, doubled or wrong."""
    if len(word) < MIN_TYPO_LENGTH or not word.isalpha():
        return word
    at = chance.randrange(1, len(word) - 1)
    slips = [
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + chance.choice(string.ascii_lowercase) + word[at + 1 :],
    ]
    return chance.choice(slips)


def character_ngrams(subword: str, sizes: Iterable[int]) -> list[str]:
    """Return the character n-grams of a subword; `<` marks the beginning of a word."""
    text = subword.removeprefix("##") if subword.startswith("##") else "<" + subword
    return [text[i : i + n] for n in sizes for i in range(len(text) - n + 1)]

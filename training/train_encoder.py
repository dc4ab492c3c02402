"""Train the bundled encoder: a bag of subwords for French and English, 768 dimensions.

    python training/train_encoder.py --pairs DIR --output rag/encoders/bundled

`DIR` holds `*.jsonl.gz` of {"anchor", "positive", "source", "kind"}; see training/README.md.
The vector of a text is the mean of its subwords' rows, brought to length 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from tokenizers import Tokenizer

from examples import Pairs, Sampler, all_words, read_pairs
from rows import Batch, Table, first_rows
from words import SPECIALS, Lexicon, Spelling, new_tokenizer, train_tokenizer

MODULES = "sentence_transformers.models."


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hold every setting of the training; the defaults made the bundled encoder."""

    subwords: int = 18_500
    dims: int = 768
    epochs: int = 5
    batch: int = 1024
    scale: float = 14.0
    rate: float = 5e-3
    warm_up_steps: int = 50
    spelling_share: float = 0.9
    typo_rate: float = 0.04
    typo_variants: int = 3
    seed: int = 0


def ranking_loss(
    questions: torch.Tensor, passages: torch.Tensor, same: torch.Tensor, scale: float
) -> torch.Tensor:
    """Return the multiple-negatives ranking loss of unit vectors, in both directions.

    The formula of sentence-transformers' MultipleNegativesRankingLoss (Henderson et al. 2017):
    each question must find its passage among all passages of the batch, and back. `same`
    (n, n) marks pairs whose texts are equal, which are no negatives.
    """
    scores = (questions @ passages.T * scale).masked_fill(same, -30.0)
    gold = torch.arange(len(scores))
    return (F.cross_entropy(scores, gold) + F.cross_entropy(scores.T, gold)) / 2


def equal_texts(anchors: list[np.ndarray], positives: list[np.ndarray]) -> torch.Tensor:
    """Return (n, n) booleans: True off the diagonal where an anchor or a positive is equal."""
    same = np.zeros((len(anchors), len(anchors)), bool)
    for texts in (anchors, positives):
        numbers: dict[bytes, int] = {}
        keys = np.array([numbers.setdefault(text.tobytes(), len(numbers)) for text in texts])
        same |= keys[:, None] == keys[None, :]
    np.fill_diagonal(same, False)
    return torch.from_numpy(same)


def train(files: list[Pairs], lexicon: Lexicon, tokenizer: Tokenizer, recipe: Recipe) -> Table:
    """Return the trained rows; prints one line an epoch."""
    rng = np.random.default_rng(recipe.seed)
    sampler = Sampler(files, lexicon, recipe.batch, rng)
    spelling = Spelling(tokenizer, list(lexicon.numbers), recipe.typo_variants, recipe.seed)
    table = Table(_first_rows(files, lexicon, tokenizer, spelling, recipe))
    total, step, began = len(sampler.plan()) * recipe.epochs, 0, time.monotonic()
    for epoch in range(recipe.epochs):
        losses = []
        for name in sampler.plan():
            anchors, positives = sampler.batch(name)
            size = len(anchors)
            bags = [
                (spelling.bags(anchors, recipe.typo_rate, rng), size),
                (spelling.bags(positives, recipe.typo_rate / 3, rng), size),
            ]
            batch = Batch(table.rows, bags)
            same = equal_texts(anchors, positives)
            loss = ranking_loss(batch.vectors[:size], batch.vectors[size:], same, recipe.scale)
            loss.backward()
            table.step(batch, _rate(recipe, step, total))
            losses.append(loss.item())
            step += 1
        spent_s = time.monotonic() - began
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, {spent_s:.0f} s", flush=True)
    return table


def _rate(recipe: Recipe, step: int, total: int) -> float:
    """Return the learning rate: it warms up, then falls in a straight line to 3 %."""
    return recipe.rate * min(1, (step + 1) / recipe.warm_up_steps) * max(0.03, 1 - step / total)


def _first_rows(
    files: list[Pairs], lexicon: Lexicon, tokenizer: Tokenizer, spelling: Spelling, recipe: Recipe
) -> torch.Tensor:
    every = np.random.default_rng(recipe.seed)
    _, subwords = spelling.bags(list(all_words(files)), 0.0, every)
    frequency = np.bincount(subwords, minlength=tokenizer.get_vocab_size())
    names = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    return first_rows(names, frequency, recipe.dims, recipe.spelling_share, recipe.seed)


def save(rows: torch.Tensor, tokenizer: Tokenizer, output: Path) -> None:
    """Write the folder that `SentenceTransformer(folder)` and `rag.encoders.static` both read.

    float16 rows; the special tokens' rows are zero, so unknown words change nothing.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, StaticEmbedding

    rows[: len(SPECIALS)] = 0
    static = StaticEmbedding(tokenizer, embedding_weights=rows.half())
    model = SentenceTransformer(modules=[static, Normalize()], device="cpu")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder, create_model_card=False)
        made = Path(folder)
        _make_portable(made)
        for path in (p for p in made.rglob("*") if p.is_file()):
            target = output / path.relative_to(made)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)


def _make_portable(folder: Path) -> None:
    """Name the modules as sentence-transformers 3, 5 and 6 all do; write every JSON compactly."""
    for path in folder.rglob("*.json"):
        value = json.loads(path.read_text("utf-8"))
        if path.name == "modules.json":
            for module in value:
                module["type"] = MODULES + module["type"].rsplit(".", 1)[1]
        elif path.name == "config_sentence_transformers.json":
            value.pop("__version__", None)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        path.write_text(text + "\n", "utf-8")


def main() -> None:
    """Read the command line, train, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="folder of *.jsonl.gz")
    parser.add_argument("--output", type=Path, required=True, help="folder of the model")
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)  # tiny gradients would make each step three times slower
    recipe = Recipe(epochs=arguments.epochs, seed=arguments.seed)
    tokenizer = new_tokenizer()
    lexicon = Lexicon(tokenizer)
    files = read_pairs(arguments.pairs, lexicon)
    train_tokenizer(tokenizer, lexicon.counts(all_words(files)), recipe.subwords)
    table = train(files, lexicon, tokenizer, recipe)
    save(table.rows, tokenizer, arguments.output)


if __name__ == "__main__":
    main()

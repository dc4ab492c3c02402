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
from examples import Pairs, Sampler, all_words, read_pairs
from rows import Batch, Table, first_rows
from teacher import Teacher
from tokenizers import Tokenizer
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
    typo_rate: float = 0.06
    typo_variants: int = 3
    first_rows_kept: float = 0.3
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


class Training:
    """Hold what the loop needs: the sampler, the spelling, the teacher, the rows."""

    def __init__(
        self, files: list[Pairs], lexicon: Lexicon, tokenizer: Tokenizer, recipe: Recipe
    ) -> None:
        self.recipe, self.rng = recipe, np.random.default_rng(recipe.seed)
        self.sampler = Sampler(files, lexicon, recipe.batch, self.rng)
        words = list(lexicon.numbers)
        self.spelling = Spelling(tokenizer, words, recipe.typo_variants, recipe.seed)
        self.first = self._first_rows(files, tokenizer)
        self.table = Table(self.first.clone())
        self.teacher: Teacher | None = None

    def _first_rows(self, files: list[Pairs], tokenizer: Tokenizer) -> torch.Tensor:
        _, subwords = self.spelling.bags(list(all_words(files)), 0.0, self.rng)
        size = tokenizer.get_vocab_size()
        frequency = np.bincount(subwords, minlength=size)
        names = [tokenizer.id_to_token(i) for i in range(size)]
        recipe = self.recipe
        return first_rows(names, frequency, recipe.dims, recipe.spelling_share, recipe.seed)

    def run(self) -> torch.Tensor:
        """Train, printing one line an epoch; return the rows."""
        recipe = self.recipe
        total, step, began = len(self.sampler.plan()) * recipe.epochs, 0, time.monotonic()
        for epoch in range(recipe.epochs):
            losses = []
            for name in self.sampler.plan():
                losses.append(self._step(name, _rate(recipe, step, total)))
                step += 1
            spent_s = time.monotonic() - began
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, {spent_s:.0f} s", flush=True)
        return self.table.rows + recipe.first_rows_kept * self.first

    def _step(self, name: str, rate: float) -> float:
        """Train on one batch of a file; return its ranking loss."""
        recipe, spelling, rng = self.recipe, self.spelling, self.rng
        anchors, positives = self.sampler.batch(name)
        size = len(anchors)
        bags = [spelling.bags(anchors, recipe.typo_rate, rng)]
        bags.append(spelling.bags(positives, recipe.typo_rate / 3, rng))
        sizes = [size, size]
        if self.teacher:
            bags.append(spelling.bags(self.teacher.pick(recipe.batch, rng), 0.0, rng))
            sizes.append(recipe.batch)
        batch = Batch(self.table.rows, list(zip(bags, sizes, strict=True)))
        asked, read, taught = batch.vectors.split([size, size, sum(sizes[2:])])
        ranking = ranking_loss(asked, read, equal_texts(anchors, positives), recipe.scale)
        (ranking + self.teacher.loss(taught) if self.teacher else ranking).backward()
        self.table.step(batch, rate)
        if self.teacher:
            self.teacher.step()
        return ranking.item()


def _rate(recipe: Recipe, step: int, total: int) -> float:
    """Return the learning rate: it warms up, then falls in a straight line to 3 %."""
    return recipe.rate * min(1, (step + 1) / recipe.warm_up_steps) * max(0.03, 1 - step / total)


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
    parser.add_argument("--epochs", type=int, default=Recipe().epochs)
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--no-teacher", action="store_true", help="learn from the pairs alone")
    parser.add_argument("--teacher-vectors", type=Path, help="file that keeps what it read")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    torch.set_flush_denormal(True)  # tiny gradients would make each step three times slower
    recipe = Recipe(epochs=arguments.epochs, seed=arguments.seed)
    tokenizer = new_tokenizer()
    lexicon = Lexicon(tokenizer)
    files = read_pairs(arguments.pairs, lexicon)
    train_tokenizer(tokenizer, lexicon.counts(all_words(files)), recipe.subwords)
    training = Training(files, lexicon, tokenizer, recipe)
    if not arguments.no_teacher:
        training.teacher = Teacher(files, recipe.dims, arguments.teacher_vectors)
    save(training.run(), tokenizer, arguments.output)


if __name__ == "__main__":
    main()

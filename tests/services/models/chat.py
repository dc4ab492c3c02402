"""Write a tiny phi3 model by hand: a bigram model of a few French sentences.

One-hot embeddings; one attention layer with Q = K = 0, so that it averages the context and the
words of the prompt get a little likelier; an output matrix of log bigram probabilities. It says
real French words and ends after about two sentences. The same options give the same bytes.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from itertools import pairwise

import gguf
import numpy as np
from french import sentences
from vocabulary import Vocabulary, add_vocabulary, build_vocabulary, describe_phi3, finish

HEAD_SIZE = 64
NEVER = -30.0  # a log probability
CONTEXT_LIFT = 12.0  # for the long words of the context


def count_bigrams(vocabulary: Vocabulary) -> dict[int, Counter[int]]:
    """Count which token follows which, an answer being about two sentences long."""
    follows: dict[int, Counter[int]] = defaultdict(Counter)
    start, end = vocabulary.specials["<|assistant|>"], vocabulary.specials["<|end|>"]
    for sentence in sentences():
        ids = [vocabulary.words[piece] for piece in sentence]
        follows[start][ids[0]] += 1
        for token, following in pairwise(ids):
            follows[token][following] += 1
    full_stop = vocabulary.words["."]
    follows[full_stop].update(follows[start])
    follows[full_stop][end] += follows[full_stop].total()
    for word in vocabulary.words.values():
        if not follows[word]:
            follows[word][full_stop] = 1
    return follows


def log_probabilities(
    vocabulary: Vocabulary, coordinates: dict[int, int], size: int, no_end: bool
) -> np.ndarray:
    """Return log P(next token | coordinate of the last one), shape (size, tokens)."""
    every = Counter(vocabulary.words[piece] for sentence in sentences() for piece in sentence)
    base = np.full(len(vocabulary.tokens), NEVER)
    for token, count in every.items():
        base[token] = math.log(0.01 * count / every.total())
    table = np.tile(base, (size, 1))
    for token, row in count_bigrams(vocabulary).items():
        for following, count in row.items():
            probability = 0.99 * count / row.total() + math.exp(base[following])
            table[coordinates[token], following] = math.log(probability)
    # After a byte or a control token, a sentence begins.
    start = coordinates[vocabulary.specials["<|assistant|>"]]
    for special in vocabulary.specials.values():
        table[coordinates[special]] = table[start]
    table[len(coordinates)] = table[start]
    if no_end:
        table[:, vocabulary.specials["<|end|>"]] = NEVER
    return table


def attention(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights that copy the mean of the context into the second half of the state."""
    width = 2 * size
    qkv = np.zeros((width + 2 * size, width), np.float32)
    diagonal = np.arange(size)
    # RMSNorm turns a one-hot vector into sqrt(width) times itself.
    qkv[width + size + diagonal, diagonal] = 1.0 / math.sqrt(width)
    output = np.zeros((width, width), np.float32)
    for head in range(size // HEAD_SIZE):  # heads 2i and 2i + 1 share keys and values: take 2i
        for place in range(HEAD_SIZE):
            output[size + head * HEAD_SIZE + place, 2 * head * HEAD_SIZE + place] = 1.0
    return qkv, output


def vocabulary_weights(vocabulary: Vocabulary, no_end: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the embedding and the output matrix, each of shape (tokens, width)."""
    known = [*vocabulary.words.values(), *vocabulary.specials.values()]
    coordinates = {token: place for place, token in enumerate(known)}
    other = len(coordinates)  # bytes and beginnings of words share one coordinate
    size = -(-(other + 1) // HEAD_SIZE) * HEAD_SIZE
    count, width = len(vocabulary.tokens), 2 * size
    embedding = np.zeros((count, width), np.float32)
    places = [coordinates.get(token, other) for token in range(count)]
    embedding[np.arange(count), places] = 1.0
    output = np.zeros((count, width), np.float32)
    table = log_probabilities(vocabulary, coordinates, size, no_end)
    output[:, :size] = table.T / math.sqrt(width)
    for word, token in vocabulary.words.items():
        if len(word) > 4:
            output[token, size + coordinates[token]] = CONTEXT_LIFT / math.sqrt(width)
    return embedding, output


def add_layer(
    writer: gguf.GGUFWriter, number: int, qkv: np.ndarray, output: np.ndarray, wide: int
) -> None:
    """Write one layer; all but the first do arithmetic and change nothing."""
    width, works = len(output), number == 0
    ones = np.ones(width, np.float32)
    name = f"blk.{number}."
    writer.add_tensor(name + "attn_norm.weight", ones)
    writer.add_tensor(name + "attn_qkv.weight", (works * qkv).astype(np.float16))
    writer.add_tensor(name + "attn_output.weight", (works * output).astype(np.float16))
    writer.add_tensor(name + "ffn_norm.weight", ones)
    writer.add_tensor(name + "ffn_up.weight", np.zeros((2 * wide, width), np.float16))
    writer.add_tensor(name + "ffn_down.weight", np.zeros((width, wide), np.float16))


def write(path: str, no_end: bool, more_layers: int, wide: int) -> None:
    """Write the model to a file."""
    vocabulary = build_vocabulary()
    embedding, output = vocabulary_weights(vocabulary, no_end)
    width = embedding.shape[1]
    qkv, attention_output = attention(width // 2)
    writer = gguf.GGUFWriter(path, "phi3")
    writer.add_name("tiny-phi3-fr (hand-written test weights)")
    heads = (width // HEAD_SIZE, width // 2 // HEAD_SIZE)
    describe_phi3(
        writer,
        width=width,
        layers=1 + more_layers,
        feed_forward=wide,
        heads=heads,
        head_size=HEAD_SIZE,
    )
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    add_vocabulary(writer, vocabulary)
    writer.add_tensor("token_embd.weight", embedding.astype(np.float16))
    for number in range(1 + more_layers):
        add_layer(writer, number, qkv, attention_output, wide)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    writer.add_tensor("output.weight", output.astype(np.float16))
    finish(writer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--no-end", action="store_true", help="stop at num_predict only")
    parser.add_argument("--more-layers", type=int, default=0, help="of zeros: slower, same text")
    parser.add_argument("--wide", type=int, default=64, help="width of a layer's feed-forward")
    arguments = parser.parse_args()
    write(arguments.path, arguments.no_end, arguments.more_layers, arguments.wide)

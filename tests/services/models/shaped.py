"""Write a model of phi3:mini's exact shape: 3.8 billion random weights, Q4_0, 2.15 GB.

It costs what phi3:mini costs in time and memory, and says nothing. Bound its answers with
num_predict: it may never end.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np
from vocabulary import add_vocabulary, build_vocabulary, describe_phi3, finish

TOKENS = 32064
WIDTH = 3072
FEED_FORWARD = 8192
LAYERS = 32
HEADS = 32
BLOCK = 32  # weights that share one float16 scale in Q4_0, two weights to a byte


def random_weights(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Return random Q4_0 blocks, as bytes, all of the same small scale."""
    blocks = np.empty((rows * columns // BLOCK, 2 + BLOCK // 2), np.uint8)
    blocks[:, 2:] = generator.integers(0, 256, (len(blocks), BLOCK // 2), np.uint8)
    blocks[:, :2] = np.frombuffer(np.float16(0.003).tobytes(), np.uint8)
    return blocks.reshape(rows, -1)


def write(path: str) -> None:
    """Write the model to a file."""
    vocabulary = build_vocabulary()
    while len(vocabulary.tokens) < TOKENS:
        vocabulary.add(f"<fill{len(vocabulary.tokens)}>", -9999.0, gguf.TokenType.NORMAL)
    writer = gguf.GGUFWriter(path, "phi3")
    writer.add_name("phi3-mini-shaped random")
    describe_phi3(
        writer,
        width=WIDTH,
        layers=LAYERS,
        feed_forward=FEED_FORWARD,
        heads=(HEADS, HEADS),
        head_size=WIDTH // HEADS,
    )
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    add_vocabulary(writer, vocabulary)
    add_weights(writer)
    finish(writer)


def add_weights(writer: gguf.GGUFWriter) -> None:
    """Write every tensor of the network."""
    generator = np.random.default_rng(0)
    ones = np.ones(WIDTH, np.float32)

    def add(name: str, rows: int, columns: int) -> None:
        weights = random_weights(generator, rows, columns)
        writer.add_tensor(name, weights, raw_dtype=gguf.GGMLQuantizationType.Q4_0)

    add("token_embd.weight", TOKENS, WIDTH)
    for layer in range(LAYERS):
        name = f"blk.{layer}."
        writer.add_tensor(name + "attn_norm.weight", ones)
        add(name + "attn_qkv.weight", 3 * WIDTH, WIDTH)
        add(name + "attn_output.weight", WIDTH, WIDTH)
        writer.add_tensor(name + "ffn_norm.weight", ones)
        add(name + "ffn_up.weight", 2 * FEED_FORWARD, WIDTH)
        add(name + "ffn_down.weight", WIDTH, FEED_FORWARD)
    writer.add_tensor("output_norm.weight", ones)
    add("output.weight", TOKENS, WIDTH)


if __name__ == "__main__":
    write(sys.argv[1])

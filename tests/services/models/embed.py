"""Write a tiny nomic-bert model: a text's vector is the mean of its tokens' random vectors.

One block of zero weights and a fixed seed: texts that share words are closer than texts that
do not, and the same program gives the same bytes.
"""

from __future__ import annotations

import string
import sys

import gguf
import numpy as np
from french import SPACE, sentences
from vocabulary import finish

DIMENSIONS = 768
CONTROLS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyzàâçéèêëîïôùûüœ"
PAIRED = string.ascii_lowercase + "éè"
SIGNS = ".,;:!?'\"()-«»’/%€+=&@#*_[]{}<>|\\`~°"
ENDINGS = "tion ment ique eur euse ement ité age ent ant ait ons ez es er".split()


def words() -> list[str]:
    """Return the words of the sentences, in lower case."""
    pieces = {piece for sentence in sentences() for piece in sentence}
    bare = {piece.strip(SPACE).strip("'").lower() for piece in pieces}
    return sorted(word for word in bare if len(word) > 1)


def capital(word: str) -> str:
    """Return the word as it begins a sentence."""
    return word[0].upper() + word[1:]


def tokens() -> list[str]:
    """Return the WordPiece vocabulary: words, letters, pairs of letters, endings."""
    pairs = [first + second for first in PAIRED for second in PAIRED]
    parts = [*LETTERS, *LETTERS.upper(), *string.digits, *SIGNS, *pairs, *ENDINGS]
    whole = [*words(), *map(capital, words()), *parts]
    return list(dict.fromkeys([*CONTROLS, *(SPACE + text for text in whole), *parts]))


def vectors(names: list[str]) -> np.ndarray:
    """Return one vector a token; a word with and without a capital has the same one."""
    generator = np.random.default_rng(20240607)
    rows = generator.standard_normal((len(names), DIMENSIONS)).astype(np.float32)
    place = {name: number for number, name in enumerate(names)}
    for word in words():
        rows[place[SPACE + capital(word)]] = rows[place[SPACE + word]]
    rows[: len(CONTROLS)] *= 0.05  # [CLS] and [SEP] are in every text: keep them quiet
    return rows


def describe(writer: gguf.GGUFWriter, names: list[str]) -> None:
    """Write the shape of the network and its vocabulary."""
    writer.add_name("tiny-nomic-fr (pseudo-random test weights)")
    writer.add_context_length(2048)
    writer.add_embedding_length(DIMENSIONS)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(12)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_rope_freq_base(1000.0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(2)
    writer.add_token_list([name.encode() for name in names])
    writer.add_token_scores([-1000.0] * len(names))
    normal = len(names) - len(CONTROLS)
    kinds = gguf.TokenType
    writer.add_token_types([int(kinds.CONTROL)] * len(CONTROLS) + [int(kinds.NORMAL)] * normal)
    writer.add_bos_token_id(CONTROLS.index("[CLS]"))
    writer.add_eos_token_id(CONTROLS.index("[SEP]"))
    writer.add_unk_token_id(CONTROLS.index("[UNK]"))
    writer.add_sep_token_id(CONTROLS.index("[SEP]"))
    writer.add_pad_token_id(CONTROLS.index("[PAD]"))
    writer.add_mask_token_id(CONTROLS.index("[MASK]"))
    writer.add_uint32("tokenizer.ggml.cls_token_id", CONTROLS.index("[CLS]"))


def add_norm(writer: gguf.GGUFWriter, name: str) -> None:
    """Write a layer norm that only normalises."""
    writer.add_tensor(f"{name}.weight", np.ones(DIMENSIONS, np.float32))
    writer.add_tensor(f"{name}.bias", np.zeros(DIMENSIONS, np.float32))


def add_zeros(writer: gguf.GGUFWriter, name: str, rows: int, columns: int) -> None:
    """Write weights that add nothing to the state."""
    writer.add_tensor(f"blk.0.{name}.weight", np.zeros((rows, columns), np.float16))


def write(path: str) -> None:
    """Write the model to a file."""
    names = tokens()
    writer = gguf.GGUFWriter(path, "nomic-bert")
    describe(writer, names)
    writer.add_tensor("token_embd.weight", vectors(names).astype(np.float16))
    writer.add_tensor("token_types.weight", np.zeros((2, DIMENSIONS), np.float32))
    add_norm(writer, "token_embd_norm")
    add_zeros(writer, "attn_qkv", 3 * DIMENSIONS, DIMENSIONS)
    add_zeros(writer, "attn_output", DIMENSIONS, DIMENSIONS)
    add_norm(writer, "blk.0.attn_output_norm")
    add_norm(writer, "blk.0.layer_output_norm")
    add_zeros(writer, "ffn_up", 64, DIMENSIONS)
    add_zeros(writer, "ffn_gate", 64, DIMENSIONS)
    add_zeros(writer, "ffn_down", DIMENSIONS, 64)
    finish(writer)


if __name__ == "__main__":
    write(sys.argv[1])

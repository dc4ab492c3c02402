"""The vocabulary of the phi3 models: a SentencePiece one with byte fallback."""

from __future__ import annotations

from dataclasses import dataclass, field

import gguf
from french import sentences

SPECIALS = ("<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n' + "
    "message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


@dataclass
class Vocabulary:
    """Hold tokens by id, and the ids of words and control tokens."""

    tokens: list[bytes] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)
    specials: dict[str, int] = field(default_factory=dict)

    def add(self, text: str, score: float, kind: gguf.TokenType) -> int:
        """Append a token, return its id."""
        self.tokens.append(text.encode())
        self.scores.append(score)
        self.types.append(int(kind))
        return len(self.tokens) - 1


def build_vocabulary() -> Vocabulary:
    """Return every piece of the sentences, with the bytes and the control tokens of phi3."""
    vocabulary, kinds = Vocabulary(), gguf.TokenType
    vocabulary.add("<unk>", 0.0, kinds.UNKNOWN)
    vocabulary.add("<s>", 0.0, kinds.CONTROL)
    vocabulary.add("</s>", 0.0, kinds.CONTROL)
    for byte in range(256):
        vocabulary.add(f"<0x{byte:02X}>", 0.0, kinds.BYTE)
    words = sorted({piece for sentence in sentences() for piece in sentence})
    # Merges go letter by letter: without each beginning of a word, the word is never reached.
    beginnings = {word[:end] for word in words for end in range(1, len(word))} - set(words)
    for rank, word in enumerate(words):
        vocabulary.words[word] = vocabulary.add(word, -float(rank), kinds.NORMAL)
    for rank, beginning in enumerate(sorted(beginnings)):
        vocabulary.add(beginning, -1000.0 - rank, kinds.NORMAL)
    for special in SPECIALS:
        vocabulary.specials[special] = vocabulary.add(special, 0.0, kinds.CONTROL)
    return vocabulary


def describe_phi3(
    writer: gguf.GGUFWriter,
    *,
    width: int,
    layers: int,
    feed_forward: int,
    heads: tuple[int, int],
    head_size: int,
) -> None:
    """Write the shape of a phi3 network; heads: of queries, of keys and values."""
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads[0])
    writer.add_head_count_kv(heads[1])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(10000.0)
    writer.add_uint32("phi3.rope.scaling.original_context_length", 4096)


def add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    """Write the vocabulary as phi3 has it."""
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.types)
    writer.add_bos_token_id(vocabulary.tokens.index(b"<s>"))
    writer.add_eos_token_id(vocabulary.specials["<|endoftext|>"])
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(vocabulary.specials["<|endoftext|>"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def finish(writer: gguf.GGUFWriter) -> None:
    """Write the file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

"""Text to unit vectors: the bundled static encoder, or another that the settings name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rag.config.settings import BUNDLED_ENCODER, Settings
from rag.core.errors import ConfigError
from rag.core.invocation import rebuild_command
from rag.core.protocols import Encoder

if TYPE_CHECKING:
    from rag.encoders.static import StaticEncoder


def open_encoder(settings: Settings, timeout_s: float = 60.0) -> Encoder:
    """Open the encoder that the settings name; a server is given ``timeout_s`` for its first word.

    Raises: ConfigError when its vectors are not ``AI_EMBEDDING_DIMENSION`` long or when an extra is
    missing; EncoderError when it cannot be loaded.
    """
    encoder = _build(settings, timeout_s)
    if encoder.dimension != settings.embedding_dimension:
        raise ConfigError(
            f"{encoder.name} makes vectors of {encoder.dimension} dimensions, but"
            f" AI_EMBEDDING_DIMENSION is {settings.embedding_dimension}. Set"
            f" AI_EMBEDDING_DIMENSION={encoder.dimension}, or choose another AI_EMBEDDING_MODEL;"
            f" then rebuild the index: {rebuild_command()}"
        )
    return encoder


def _build(settings: Settings, timeout_s: float) -> Encoder:
    kind, _, model = settings.embedding_model.partition(":")
    if settings.embedding_model == BUNDLED_ENCODER:
        return bundled_encoder()
    if kind == "ollama" and model:
        from rag.encoders.remote import OllamaEncoder

        return OllamaEncoder(model, settings.ollama_url, timeout_s)
    if kind == "openai" and model:
        from rag.encoders.remote import OpenAIEncoder

        return OpenAIEncoder(model, settings, timeout_s)
    from rag.encoders.transformers import SentenceTransformersEncoder

    return SentenceTransformersEncoder(settings.embedding_model)


@cache
def bundled_encoder() -> StaticEncoder:
    """Open the encoder that comes with the package, once."""
    from rag.encoders.static import StaticEncoder, bundled_folder

    return StaticEncoder(bundled_folder())

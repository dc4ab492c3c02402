"""The public functions: each opens what the settings name and asks it one thing."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy

from rag.config.settings import Settings, load_settings
from rag.core.documents import Chunk, Hit, IndexMeta, Vectors, check_meta
from rag.core.errors import IndexMissing
from rag.core.invocation import index_command
from rag.core.protocols import Encoder, Store
from rag.encoders import bundled_encoder, open_encoder
from rag.encoders.transformers import CrossEncoderReader
from rag.generators import open_generators
from rag.question import read_question
from rag.reranker import Reranker
from rag.retriever import EMBEDDED_LINE, Retriever
from rag.stores import open_answer_store, open_store

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rag.assistant import Assistant
    from rag.cache import AnswerCache, Flight
    from rag.conversation import SharedConversations
    from rag.writing.once import Writing

# raised when what an index holds changes its meaning: old indexes are then refused
SCHEMA = 2
logger = logging.getLogger(__name__)


def get_similar_chunks(question: str, texts: Sequence[str] | None = None, k: int = 5) -> list[Hit]:
    """Return the k chunks nearest to a question, best first, ties to the lower id.

    With ``texts``, ranks those by cosine (a hit's ``chunk.id`` is the text's place in the list);
    without, searches the index: cosine kNN and BM25 fused, at most 2 chunks a page.

    Raises: ValueError for k below 1; QuestionRefused, IndexMissing, IndexMismatch,
    SearchUnavailable, EncoderError, ConfigError.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    settings = load_settings()
    if texts is not None:
        return _rank_texts(question, texts, k, _encoder(settings))
    found = _retriever(settings).retrieve(read_question(question), k, timeout_s=settings.timeout_s)
    return list(found.hits)


def generate_embedding(text: str) -> Vectors:
    """Return a text's vector: (768,) float32 of length 1 with the bundled encoder.

    A text without a known word gives zeros. Raises: EncoderError, ConfigError.
    """
    return embedding_of(text, logger)


def embedding_of(text: str, log: logging.Logger) -> Vectors:
    """Return the same; ``log`` is told, at level DEBUG, how long it took."""
    started = time.perf_counter()
    vector: Vectors = _encoder(load_settings()).encode_passages([text])[0]
    log.debug(EMBEDDED_LINE, time.perf_counter() - started)
    return vector


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> float:
    """Return the cosine of two vectors of one length, in [-1, 1]; 0 when one is all zeros.

    Raises: ValueError when their shapes differ or a number is not finite.
    """
    left, right = _scaled(a), _scaled(b)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"two vectors of one length are needed, got {left.shape}, {right.shape}")
    norms = float(numpy.linalg.norm(left) * numpy.linalg.norm(right))
    return float(numpy.clip(left @ right / norms, -1.0, 1.0)) if norms else 0.0


def _scaled(vector: ArrayLike) -> NDArray[numpy.float64]:
    """Return a vector's numbers brought to at most 1, so that no square of them is out of range."""
    numbers = numpy.asarray(vector, numpy.float64)
    if not numpy.isfinite(numbers).all():
        raise ValueError("a vector holds NaN or infinity")
    return numbers / (numpy.abs(numbers).max(initial=0.0) or 1.0)


def _rank_texts(question: str, texts: Sequence[str], k: int, encoder: Encoder) -> list[Hit]:
    """Return the k texts nearest to the question by cosine, best first, ties to the earlier."""
    if not texts:
        return []
    query = encoder.encode_queries([question])[0]
    scores = encoder.encode_passages(list(texts)) @ query
    order = numpy.argsort(-scores, kind="stable")[:k]
    hits = [
        Hit(_text_chunk(int(i), texts[i]), float(scores[i]), 0, {"knn": float(scores[i])})
        for i in order
    ]
    return [replace(hit, rank=rank) for rank, hit in enumerate(hits, 1)]


def _text_chunk(number: int, text: str) -> Chunk:
    return Chunk(str(number), "", number, "", (), "", "", text)


def open_retriever(settings: Settings, store: Store, *, tolerant: bool = False) -> Retriever:
    """Open a retriever over a store, which is not asked yet. Raises: ConfigError, EncoderError.

    ``tolerant``: an index made by another encoder is searched by its words alone.
    """
    reader = bundled_encoder()
    if not settings.embeddings_enabled:
        return Retriever(store, None, lexicon=reader)
    encoder = _encoder(settings)
    return Retriever(
        store,
        encoder,
        Reranker(reader),
        reader,
        index_meta(encoder),
        CrossEncoderReader(settings.reranker_model) if settings.reranker_model else None,
        tolerant=tolerant,
    )


def open_assistant(
    settings: Settings | None = None,
    *,
    use_model: bool = True,
    warming: bool = False,
    conversations: SharedConversations | None = None,
    tolerant: bool = False,
) -> Assistant:
    """Open an assistant, to be closed or used in `async with`. Raises: as above.

    Without ``settings``, those in force. ``use_model`` False answers with extracts alone.
    ``warming``: nobody asked, so what is written counts as no miss. ``tolerant`` as above.
    """
    from rag.assistant import Assistant
    from rag.question.small_talk import read_replies

    settings = settings or load_settings()
    store = open_store(settings)
    uses_model = use_model and not settings.degraded_mode
    return Assistant(
        store,
        open_retriever(settings, store, tolerant=tolerant),
        open_writer(settings) if uses_model else None,
        timeout_s=settings.timeout_s,
        flight=open_flight(settings, uses_model=uses_model, warming=warming),
        encoder=bundled_encoder(),
        conversations=conversations,
        replies=read_replies(settings.small_talk),
    )


def open_writer(settings: Settings) -> Writing:
    """Open the models that the settings name, each with its guards. Raises: ConfigError."""
    from rag.writing.chain import Chain
    from rag.writing.speed import FILE, SpeedBook
    from rag.writing.writer import Writer

    speeds = SpeedBook(settings.data_dir / FILE)
    writers = [
        Writer(
            generator,
            speeds,
            timeout_s=settings.timeout_s,
            slots=settings.parallel,
            keep_alive=settings.keep_alive,
            speed_name=speed_name(generator.name, settings),
        )
        for generator in open_generators(settings)
    ]
    return writers[0] if len(writers) == 1 else Chain(writers)


def speed_name(model: str, settings: Settings) -> str:
    """Return the name under which a model's speed is kept: on another machine it is another one."""
    return f"{model} {_host(model, settings)}"


def _host(model: str, settings: Settings) -> str:
    """Return the host of a model's server, without the credentials of its address."""
    urls = {"openai": settings.openai_url, "anthropic": settings.anthropic_url}
    url = urls.get(model.partition(":")[0], settings.ollama_url)
    return url.partition("//")[2].rpartition("@")[2]


def open_flight(settings: Settings, *, uses_model: bool = True, warming: bool = False) -> Flight:
    """Open the kept answers of these settings; none are looked up when the cache is off."""
    from rag.cache import Flight

    if not settings.cache_enabled:
        return Flight(None)
    if uses_model:  # what questions are compared by is loaded before one waits for it
        read_question("Comment créer un client ?").signature(bundled_encoder())
    return Flight(open_cache(settings, uses_model=uses_model, warming=warming))


def open_cache(
    settings: Settings, *, uses_model: bool = True, warming: bool = False
) -> AnswerCache:
    """Open the answer cache, on or off; without a model, only what the owner pinned is found.

    Raises: ConfigError.
    """
    from rag.cache import AnswerCache

    return AnswerCache(
        open_answer_store(settings),
        bundled_encoder,
        answers_fingerprint(settings) if uses_model else "extracts",
        ttl_s=settings.cache_ttl_s,
        made="warmed" if warming else "missed",
    )


def answers_fingerprint(settings: Settings) -> str:
    """Return what stands for all that changes answers besides the pages: another, other answers."""
    from rag.prompt import RULES

    parts = (
        settings.model,
        settings.fallback_models,
        *(_host(model, settings) for model in ("ollama", "openai:", "anthropic:")),
        RULES,
        settings.embedding_model,
        bundled_encoder().name,
        str(settings.embeddings_enabled),
        str(settings.reranker_model),
        "1",  # was SCHEMA: an index made anew keeps the answers of pages that are as they were
    )
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:16]


def check_index(settings: Settings, store: Store, timeout_s: float) -> None:
    """See whether there is an index that these settings can search.

    Raises: IndexMissing, IndexMismatch, SearchUnavailable.
    """
    found = store.meta(timeout_s)
    if found is None:
        raise IndexMissing(f"Nothing is indexed yet. Index your pages: {index_command()}")
    if settings.embeddings_enabled:
        check_meta(found, index_meta(_encoder(settings)))


def index_meta(encoder: Encoder) -> IndexMeta:
    """Return what an index made with this encoder says of itself."""
    return IndexMeta(encoder.name, encoder.dimension, SCHEMA)


@cache
def _encoder(settings: Settings) -> Encoder:
    return open_encoder(settings, settings.timeout_s)


@cache
def _retriever(settings: Settings) -> Retriever:
    return open_retriever(settings, open_store(settings))

"""Ollama and Elasticsearch as their own interfaces show them, each question within its time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from rag.config.settings import Settings, is_address, shown
from rag.core.errors import ModelUnavailable, SearchUnavailable
from rag.core.records import Check
from rag.diagnostics.doctor.check import failed

VERSION_S = 3.0
TARGET_MS = 1_000.0  # an interface that takes longer is said to be slow
LIST_S = 3.0
CONNECT_S = 2.0
PULL_S = 3_600.0
DEFAULT_PORT = 11434
FULL_BLOCK = "read_only_allow_delete"


@dataclass(frozen=True, slots=True)
class Api:
    """Hold how Ollama's interface answered: ``state`` is up, stopped, blocked or wrong."""

    state: str
    detail: str
    version: str = ""


class OllamaServer:
    """Ask one Ollama about itself; its answers come within the times above, or not at all."""

    def __init__(self, url: str) -> None:
        self.where = shown(url)
        self.url = httpx.URL(url if "://" in url else f"http://{url}")
        if "://" not in url and self.url.port is None:
            self.url = self.url.copy_with(port=DEFAULT_PORT)

    @property
    def host(self) -> str:
        """Return the host's name."""
        return self.url.host

    @property
    def port(self) -> int:
        """Return the port, the protocol's own where none is written."""
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    def api(self) -> Api:
        """Ask for the version, as a look at whether the interface answers at all."""
        start = time.perf_counter()
        try:
            answer = self._get("/api/version", VERSION_S)
            version = str(answer["version"])
        except httpx.ConnectError:
            return Api("stopped", f"nothing listens at {self.where}")
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ConnectTimeout):
                return Api("stopped", f"{self.where} cannot be reached within {CONNECT_S:g} s")
            return Api("blocked", f"{self.where} takes connections but does not answer")
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            return Api("wrong", f"what answers at {self.where} is no Ollama")
        spent_ms = (time.perf_counter() - start) * 1000
        slow = ", slowly" if spent_ms > TARGET_MS else ""
        return Api("up", f"version {version} answers in {spent_ms:.0f} ms{slow}", version)

    def models(self) -> dict[str, int]:
        """Return the size in bytes of each model that is there. Raises: ModelUnavailable."""
        return self._sizes("/api/tags")

    def loaded(self) -> dict[str, int]:
        """Return the size in memory of each model that is loaded. Raises: ModelUnavailable."""
        return self._sizes("/api/ps")

    def pull(self, model: str) -> Iterator[tuple[int, int]]:
        """Fetch a model; yield what has come of what there is, in bytes.

        Raises: ModelUnavailable with what Ollama says where it cannot.
        """
        timeout = httpx.Timeout(PULL_S, connect=CONNECT_S)
        body, url = {"model": model, "stream": True}, self.url.join("/api/pull")
        with self._explained("pull"), httpx.stream("POST", url, json=body, timeout=timeout) as said:
            for line in said.iter_lines():
                step = _object(line)
                if step.get("error"):
                    raise ValueError(str(step["error"]))
                yield int(step.get("completed") or 0), int(step.get("total") or 0)

    def _sizes(self, path: str) -> dict[str, int]:
        with self._explained("list its models"):
            models = self._get(path, LIST_S)["models"] or []
            return {str(one["name"]): int(one.get("size") or 0) for one in models}

    @contextmanager
    def _explained(self, act: str) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            told = shown(str(error)) or type(error).__name__
            raise ModelUnavailable(
                f"Ollama at {self.where} does not {act}: {told}. See what `ollama serve` says."
            ) from error

    def _get(self, path: str, timeout_s: float) -> Mapping[str, Any]:
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        answer = httpx.get(self.url.join(path), timeout=timeout)
        answer.raise_for_status()
        return _object(answer.text)


def named(model: str, models: Mapping[str, int]) -> str | None:
    """Return the name under which Ollama lists a model: one without a tag is the latest."""
    return next((name for name in (model, f"{model}:latest") if name in models), None)


def elasticsearch_checks(settings: Settings) -> Iterator[Check]:
    """Ask Elasticsearch for its version, its health and what is kept from being written."""
    if not settings.uses_elasticsearch:
        return
    if settings.elasticsearch_url and not is_address(settings.elasticsearch_url):
        cure = "correct it, for example: ELASTICSEARCH_URL=http://127.0.0.1:9200"
        yield Check("elasticsearch", False, "ELASTICSEARCH_URL is no server's address", cure)
        return
    from rag.stores.elasticsearch.client import Server

    server = Server(settings)
    try:
        with server.ask(LIST_S) as client:
            version = client.info()["version"]["number"]
            health = client.cluster.health()
            blocks = client.options(ignore_status=404).indices.get_settings(
                index=f"{server.alias}*", name="index.blocks.*", flat_settings=True
            )
    except SearchUnavailable as error:
        yield failed("elasticsearch", error)
        return
    finally:
        server.close()
    yield _state(f"version {version} at {server.where}", health["status"], str(blocks))


def _state(where: str, status: str, blocks: str) -> Check:
    if FULL_BLOCK in blocks:
        cure = "free disk space there; Elasticsearch then lifts the block by itself"
        return Check("elasticsearch", False, f"{where}: its disk is nearly full", cure)
    if status == "red":
        cure = "look at GET /_cluster/allocation/explain"
        return Check("elasticsearch", False, f"{where}: some of its data is missing (red)", cure)
    return Check("elasticsearch", True, f"{where}, {status}")


def _object(text: str) -> Mapping[str, Any]:
    found = orjson.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found

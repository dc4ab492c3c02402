"""Ollama and Elasticsearch as their own interfaces show them, and the processes of this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import psutil
from psutil import Process

from rag.config.settings import Settings, is_address, shown
from rag.core.errors import ModelUnavailable, SearchUnavailable
from rag.core.records import Check
from rag.diagnostics import failed

NAMES = ("ollama", "ollama.exe", "ollama app.exe", "ollama_llama_server")
LOOK_S = 0.6
KILLED_S = 3.0
BUSY_SHARE = 0.1  # of one processor, over that time
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)
VERSION_S = 3.0
TARGET_MS = 1_000.0  # an interface that takes longer is said to be slow
LIST_S = 3.0
CONNECT_S = 2.0
PULL_S = 3_600.0
DEFAULT_PORT = 11434
FULL_BLOCK = "read_only_allow_delete"


def is_local(host: str) -> bool:
    """Say whether a host's name or address is this machine's."""
    if host.casefold() == "localhost":
        return True
    own = {one.address.partition("%")[0] for many in psutil.net_if_addrs().values() for one in many}
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.casefold() == socket.gethostname().casefold()
    return address.is_loopback or address.is_unspecified or str(address) in own


def is_installed() -> bool:
    """Say whether the command `ollama` is there."""
    return shutil.which("ollama") is not None


def listener(port: int) -> Process | None:
    """Return the process that listens at a port of this machine, where that can be seen."""
    try:
        for one in psutil.net_connections("tcp"):
            if one.pid and _listens(one, port):
                return Process(one.pid)
    except GONE:  # macOS shows a whole machine's connections to its administrator alone
        pass
    for process in ollamas():
        with contextlib.suppress(*GONE):
            if any(_listens(one, port) for one in process.net_connections("tcp")):
                return process
    return None


def ollamas() -> Iterator[Process]:
    """Yield the processes that are Ollama's."""
    for process in psutil.process_iter():
        with contextlib.suppress(*GONE):
            if is_ollama(process):
                yield process


def ollama_ports() -> list[int]:
    """Return the ports at which Ollamas listen, those of their helpers left out."""
    ports: set[int] = set()
    for process in ollamas():
        with contextlib.suppress(*GONE):
            if "serve" in process.cmdline():
                found = process.net_connections("tcp")
                ports |= {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}
    return sorted(ports)


def is_ollama(process: Process) -> bool:
    """Say whether a process runs Ollama's own program."""
    with contextlib.suppress(*GONE):
        if process.name().casefold() in NAMES:
            return True
        name = (process.exe() or "").replace("\\", "/").rpartition("/")[2]
        return name.casefold() in NAMES
    return False


def family(process: Process) -> list[Process]:
    """Return a process and those that it started, itself first."""
    with contextlib.suppress(*GONE):
        return [process, *process.children(recursive=True)]
    return [process]


def activity(process: Process) -> str:
    """Return what a server and its helpers do: stopped (by a signal), busy or idle."""
    members = family(process)
    for member in members:
        with contextlib.suppress(*GONE):
            if member.status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}:
                return "stopped"
    before = _processor_s(members)
    time.sleep(LOOK_S)
    return "busy" if _processor_s(members) - before > LOOK_S * BUSY_SHARE else "idle"


def free_bytes() -> int:
    """Return the memory that a program could take now."""
    return int(psutil.virtual_memory().available)


def _processor_s(members: Sequence[Process]) -> float:
    total = 0.0
    for member in members:
        with contextlib.suppress(*GONE):
            times = member.cpu_times()
            total += times.user + times.system
    return total


def _listens(connection: Any, port: int) -> bool:
    place = connection.laddr
    return bool(connection.status == psutil.CONN_LISTEN and place and place.port == port)


def wait_gone(members: Sequence[Process], limit_s: float) -> list[Process]:
    """Wait for processes to end; return those that are left."""
    _, left = psutil.wait_procs(members, timeout=max(0.0, limit_s))
    return list(left)


def end_process(members: Sequence[Process]) -> None:
    """Ask processes to end."""
    for member in members:
        with contextlib.suppress(*GONE):
            member.terminate()


def kill_process(members: Sequence[Process]) -> None:
    """End processes that do not listen."""
    for member in members:
        with contextlib.suppress(*GONE):
            member.kill()
    psutil.wait_procs(members, timeout=KILLED_S)


def as_run(process: Process) -> tuple[list[str], dict[str, str], str] | None:
    """Return a process's command, environment and folder; None when they are not ours to see."""
    try:
        program, command = process.exe(), process.cmdline()
        return [program, *command[1:]], process.environ(), process.cwd()
    except GONE:
        return None


def name_of(process: Process) -> str:
    """Return a process's name."""
    with contextlib.suppress(*GONE):
        return str(process.name())
    return "another program"


def program_of(process: Process) -> str:
    """Return the path of a process's program, "" where it cannot be seen."""
    with contextlib.suppress(*GONE):
        return str(process.exe())
    return ""


def parent_of(process: Process) -> Process | None:
    """Return the process that started another."""
    with contextlib.suppress(*GONE):
        return process.parent()
    return None


def windows_service(pid: int) -> str | None:
    """Return the name of the service that a process is, on Windows."""
    for service in getattr(psutil, "win_service_iter", list)():
        with contextlib.suppress(*GONE):
            if service.pid() == pid:
                return str(service.name())
    return None


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

"""A process that serves: its socket, its log, uvicorn set safely, and an end without loose ends."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from rag.config.settings import load_settings
from rag.core.errors import ConfigError
from rag.core.invocation import command
from rag.server.protocols import SIGNALS, PatientHttp, PatientSocket
from rag.server.settings import MOST_FRAME_BYTES, ServerSettings, load_server_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

BACKLOG = 2048
WAITING_FRAMES = 8  # of one WebSocket, read and not yet taken
HEADER_BYTES = 32 * 1024
CLOSING_S = 1  # for connections to close, after the answers under way have ended
OPEN_FILES = 16_384
WORKER_SILENT_S = 20  # a machine that is busy needs some seconds to start one
SWITCH_S = 0.0005  # in which the event loop has its turn again after a look-up in a thread
COLLECTED_AT = 20_000  # objects more than before; 700 by default
STARTUP_FAILED = 3  # uvicorn's exit code


@dataclass(frozen=True, slots=True)
class Serving:
    """Hold how to serve; ``host`` and ``port`` None are those of the settings."""

    host: str | None
    port: int | None
    workers: int = 1
    demo: bool = True
    root_path: str = ""
    debug: bool = False


def run(serving: Serving, say: Callable[[str], None]) -> None:
    """Serve until a signal comes. Raises: ConfigError, also for an address that cannot be had."""
    load_settings()
    settings = load_server_settings()
    host = settings.host if serving.host is None else serving.host
    port = settings.port if serving.port is None else serving.port
    raise_file_limit()
    with listening(host, port) as listener, _shared_metrics(serving.workers):
        url = _url(host, listener)
        demo = f"; try it at {url}/" if serving.demo else ""
        say(f"Souffleur listens on {url}{demo} (Ctrl-C ends it)")
        config = _config(serving, settings)
        # uvicorn raises the signals again that it has caught: the exit code would be theirs
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        if serving.workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
            return
        workers = Workers(config, [listener])
        workers.run()
        if any(process.exitcode == STARTUP_FAILED for process in workers.processes):
            raise ConfigError("The server could not start; what it says above tells why.")


def _config(serving: Serving, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        partial(application, demo=serving.demo),
        factory=True,
        workers=serving.workers,
        root_path=serving.root_path,
        http=PatientHttp,
        ws=PatientSocket,
        ws_max_size=MOST_FRAME_BYTES,
        ws_max_queue=WAITING_FRAMES,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        forwarded_allow_ips=settings.trusted_proxies.replace(" ", "").split(","),
        server_header=False,
        access_log=serving.debug,
        backlog=BACKLOG,
        timeout_graceful_shutdown=CLOSING_S,
        timeout_worker_healthcheck=WORKER_SILENT_S,
        log_config=_log_config(debug=serving.debug),
    )


def application(*, demo: bool) -> FastAPI:
    """Return the application; a worker imports it when it can say already that it is alive."""
    from rag.server.app import create_app

    sys.setswitchinterval(SWITCH_S)
    return create_app(with_demo=demo, loaded=_spare_what_stays)


def _spare_what_stays() -> None:
    """Keep the garbage collector from what stays, and have it look rarely at a crowd's objects.

    Each time, askers would wait for 0.1 to 0.2 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AT)


def _log_config(*, debug: bool) -> dict[str, Any]:
    """Return what is logged: warnings and errors, without questions; all that is said in debug."""
    quiet = {"level": "INFO" if debug else "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "rag.config.formatter"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "DEBUG" if debug else "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "uvicorn": quiet,
            "websockets": quiet,
            "httpcore": quiet,
            "httpx": quiet,
            "elastic_transport": {"level": "DEBUG" if debug else "ERROR"},
        },
    }


class Workers(Multiprocess):
    """Run several processes; one that dies is replaced, a second signal ends them at once."""

    def join_all(self) -> None:
        """Wait until every process has ended."""
        for worker in self.processes:
            while worker.process.is_alive():
                worker.process.join(0.1)
                if self.signal_queue:
                    self.signal_queue.clear()
                    for other in self.processes:
                        other.process.kill()


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on an address. Raises: ConfigError saying why that cannot be, and what can."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigError(
            f"--host {host!r} is no address. Name one of this machine, for example"
            " --host 127.0.0.1, or 0.0.0.0 for all."
        ) from None
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    # named a TCP socket: asyncio sends small messages at once (TCP_NODELAY) on no other
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            raise ConfigError(_explain(error, host, port)) from None
        listener.set_inheritable(True)
        yield listener


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = command(f"serve --port {port + 1 if port < 65_535 else 0}")
        return (
            f"Port {port} of {host} is taken. Stop what listens there, or choose another: {other}"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} is for the administrator. Choose one above 1023: --port 8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine. Listen on all of them: --host 0.0.0.0"
    return f"Nothing can listen on {host}, port {port}: {error.strerror}. Choose others."


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


@contextlib.contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """Have several processes count together, in files that go when they do."""
    variable = "PROMETHEUS_MULTIPROC_DIR"
    if workers == 1 or variable in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="souffleur-metrics-") as folder:
        os.environ[variable] = folder
        try:
            yield
        finally:
            del os.environ[variable]


def raise_file_limit() -> None:
    """Allow as many open files as there may be connections, where the system lets a process."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

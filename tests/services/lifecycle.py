"""Start, share and end one server: by its own folder, its pid, its port.

A server is shared by every run on the machine. Each run holds a shared lock while it uses the
server; the last one to leave ends it, unless `python -m tests.services start` asked to keep it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services.common import (
    ServiceError,
    cache_folder,
    locked,
    say,
    share_lock,
    tail,
    try_lock,
)


@dataclass(frozen=True, slots=True)
class Service:
    """Hold what differs between the servers."""

    name: str
    variable: str  # the setting that holds its URL
    version: str
    ports: range
    boot_limit_s: float
    prepare: Callable[[], None]  # fetch or build what is missing
    launch: Callable[[Path, int], None]  # (home, port): boot with HOME=home; writes home/pid
    is_ready: Callable[[str], bool]
    complete: Callable[[str, Path], None] = lambda _url, _home: None  # once it answers


class Node:
    """One server of a service, known by its folder and not by the process that started it."""

    def __init__(self, service: Service, name: str = "shared") -> None:
        self.service = service
        self.folder = cache_folder() / service.name / name
        self.home = self.folder / "home"
        self.lock = self.folder / "lock"
        self.users = self.folder / "users"
        self._keep = self.folder / "keep"
        self._url = self.folder / "url"
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Return the URL of the server, with the port that was chosen last."""
        return self._url.read_text() if self._url.exists() else ""

    @property
    def pid(self) -> int | None:
        """Return the server's process, or None; a pid that went to another program is not it."""
        try:
            number = int((self.home / "pid").read_text())
        except (OSError, ValueError):
            return None
        return number if self._owns(number) else None

    def _owns(self, pid: int) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"HOME={self.home}".encode() in environment.split(b"\0")

    def _processes(self) -> list[int]:
        """Return the server, its helpers, and what a killed run left behind while it booted."""
        numbers = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [number for number in numbers if self._owns(number)]

    @property
    def kept(self) -> bool:
        """Tell whether the server stays when the last run leaves."""
        return self._keep.exists()

    def keep(self, yes: bool) -> None:
        """Say whether the server stays when the last run leaves."""
        self._keep.touch() if yes else self._keep.unlink(missing_ok=True)

    def start(self, *, fresh: bool = True) -> str:
        """Return the URL of the running server, booted now if need be, empty when fresh.

        Raises: ServiceError when it cannot be fetched, built or booted.
        """
        if self.pid and self._wait(15.0):
            return self.url
        self.end()
        self.service.prepare()
        if fresh:
            shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(exist_ok=True)
        self.keep(False)  # that was said of a server that has died since
        port = self._choose_port()
        self._url.write_text(f"http://127.0.0.1:{port}")
        began = time.monotonic()
        try:
            self.service.launch(self.home, port)
            if not self._wait(self.service.boot_limit_s):
                raise ServiceError(f"{self.service.name} did not answer: {tail(self.home / 'log')}")
            say(f"{self.service.name} answers after {time.monotonic() - began:.1f} s: {self.url}")
            self.service.complete(self.url, self.home)
        except BaseException:
            self.end()
            raise
        return self.url

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server that this folder started, its helpers, and no other process."""
        number = self.pid
        if number:
            os.kill(number, how)
            _until(lambda: self.pid is None, 30.0)
        for number in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        _until(lambda: not self._processes(), 10.0)

    def _choose_port(self) -> int:
        remembered = [int(self.url.rpartition(":")[2])] if self.url else []
        for port in [*remembered, *self.service.ports]:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", port))
                    return port
        raise ServiceError(f"no free port in {self.service.ports} for {self.service.name}")

    def _wait(self, limit_s: float) -> bool:
        end, missing = time.monotonic() + limit_s, 0
        while missing < 5 and time.monotonic() < end:
            if self.service.is_ready(self.url):
                return self.pid is not None  # and not another program that took the port
            # For a moment, a process that executes another program shows no environment.
            missing = 0 if self.pid else missing + 1
            time.sleep(0.1)
        return False


def _until(condition: Callable[[], bool], limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@contextlib.contextmanager
def running(service: Service, name: str = "shared") -> Iterator[Node]:
    """Yield a running server; end it afterwards if nobody else uses or keeps it.

    Another name gives a server of one's own, which a test may kill and start again.
    Raises: ServiceError when it cannot be fetched, built or booted.
    """
    node = Node(service, name)
    with node.users.open("a") as users:
        with locked(node.lock):
            node.start()
            share_lock(users)
        try:
            yield node
        finally:
            with locked(node.lock):
                if not node.kept and try_lock(users):
                    node.end()


def start(service: Service) -> str:
    """Return the URL of a server that stays until it is stopped."""
    node = Node(service)
    with locked(node.lock):
        url = node.start()
        node.keep(True)
    return url


def sweep(service: Service) -> None:
    """End the servers that killed runs left behind: nobody uses them and nobody keeps them."""
    for users_file in (cache_folder() / service.name).glob("*/users"):
        node = Node(service, users_file.parent.name)
        with locked(node.lock), node.users.open("a") as users:
            if not node.kept and try_lock(users):
                node.end()


def stop(service: Service) -> None:
    """End the server, or leave that to the test runs that still use it."""
    Node(service).keep(False)
    sweep(service)


def status(service: Service) -> str | None:
    """Return one line on the running server, or None when there is none."""
    node = Node(service)
    if node.pid is None:
        return None
    until = "until it is stopped" if node.kept else "until its last test run ends"
    return f"{service.name} {service.version}: {node.url}, pid {node.pid}, {until}"

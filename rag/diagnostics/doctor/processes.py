"""The processes of this machine: who listens at a port, and whether it is at work."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
from psutil import Process

NAMES = ("ollama", "ollama.exe", "ollama app.exe", "ollama_llama_server")
LOOK_S = 0.6
KILLED_S = 3.0
BUSY_SHARE = 0.1  # of one processor, over that time
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess)


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


def end(members: Sequence[Process]) -> None:
    """Ask processes to end."""
    for member in members:
        with contextlib.suppress(*GONE):
            member.terminate()


def kill(members: Sequence[Process]) -> None:
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

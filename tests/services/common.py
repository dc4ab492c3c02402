"""What both services need: a cache folder, commands, HTTP on loopback, file locks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

try:
    import fcntl
except ImportError:  # Windows: services are never started there, only given by URL
    fcntl = None  # type: ignore[assignment]

CACHE_VARIABLE = "SOUFFLEUR_SERVICES_DIR"
# A proxy of the environment must not see requests to this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServiceError(Exception):
    """Say why a service cannot be had here, and what cures it."""


def say(message: str) -> None:
    """Tell the person who waits what is going on."""
    print(f"tests.services: {message}", file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Return the folder, outside the clone, that keeps servers and models between runs.

    Raises: ServiceError where servers cannot be started, or when the folder is someone else's.
    """
    if sys.platform != "linux":
        raise ServiceError(
            "the test services are started on Linux only; elsewhere run 'docker compose up -d' "
            "and set ELASTICSEARCH_URL and OLLAMA_URL"
        )
    folder = Path(os.environ.get(CACHE_VARIABLE) or "/var/tmp/souffleur-services")
    folder.mkdir(parents=True, exist_ok=True)
    # Programs in it are run: a folder that another user prepared is not to be trusted.
    if folder.stat().st_uid != os.geteuid():
        raise ServiceError(f"{folder} belongs to another user: set {CACHE_VARIABLE} to your own")
    return folder.resolve()


def require(tool: str, cure: str) -> str:
    """Return the path of a command, or say how to install it.

    Raises: ServiceError when the command is not there.
    """
    path = shutil.which(tool)
    if path is None:
        raise ServiceError(f"{tool} not found: {cure}")
    return path


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log, or nothing when there is no log."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    tries: int = 1,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command with its output in a log, more than once when it needs the network.

    Raises: ServiceError with the end of the log when the last try failed.
    """
    for attempt in range(1, tries + 1):
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode == 0:
            return
        if attempt < tries:
            say(f"{command[0]} failed ({done.returncode}), try {attempt + 1} of {tries}")
            time.sleep(5 * attempt)
    raise ServiceError(f"{command[0]} failed ({done.returncode}), see {log}\n{tail(log)}")


def request(url: str, method: str = "GET", body: object = None, *, timeout_s: float = 30.0) -> Any:
    """Send JSON, return the JSON of the answer; user:password in the URL become Basic.

    Raises: OSError when there is no answer or its status is an error.
    """
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json"}
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(secret).decode()}"
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(url, data=data, headers=headers, method=method)
    with _opener.open(call, timeout=timeout_s) as answer:
        return json.loads(answer.read() or b"null")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's exclusive lock, so that two runs never build or boot the same thing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if not try_lock(file):
            say(f"waiting for another run that holds {path}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(file: IO[str]) -> bool:
    """Take a file's exclusive lock at once, or return False: someone else holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def share_lock(file: IO[str]) -> None:
    """Take a file's shared lock; the kernel gives it back even when this process is killed."""
    fcntl.flock(file, fcntl.LOCK_SH)

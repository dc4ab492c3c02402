"""A thousand WebSockets at once, most of them ill-behaved, and what a polite asker notices.

    python bench/many_clients.py URL PID [--asking 100] [--deaf 300] [--cut 200] [--slow 50]
                                         [--idle 350] [--seconds 10]

URL is a running server's (`http://127.0.0.1:8000`), PID its process, whose memory and open
files are read from /proc. The server must allow that many (HELP_MAX_CONNECTIONS,
HELP_MAX_CONNECTIONS_PER_CLIENT, HELP_RATE_LIMIT=none). Prints its figures as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import resource
import socket
import statistics
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

PATH = "/ws/ai_assistant/"
QUESTION = "Comment créer un client ?"
PAUSE_S = 0.1  # a polite one: 200 frames in 10 s are a flood
AT_ONCE = 50  # handshakes
BACK_S = 30.0
MEGABYTE = 2**20


class Crowd:
    """Open WebSockets to one server as its own pages do."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._gate = asyncio.Semaphore(AT_ONCE)
        self.connections: list[ClientConnection] = []

    async def open(self) -> ClientConnection:
        """Open one more."""
        async with self._gate:
            connection = await connect(
                f"ws{self._url.removeprefix('http')}{PATH}",
                origin=self._url,
                compression=None,
                open_timeout=60,
                ping_interval=None,
            )
        self.connections.append(connection)
        return connection

    async def slow(self) -> asyncio.StreamWriter:
        """Begin a handshake that never ends."""
        address = urlsplit(self._url)
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nX-Slow: ".encode())
        return writer

    async def close(self) -> None:
        """Close what is still open."""
        for connection in self.connections:
            connection.transport.abort()


async def ask(connection: ClientConnection, name: str) -> float:
    """Ask and return the seconds until the whole answer is there."""
    began = time.perf_counter()
    question = {"type": "message", "conversation_id": name, "content": QUESTION}
    await connection.send(json.dumps(question))
    while True:
        message = json.loads(await connection.recv())
        if message["type"] == "error":
            raise RuntimeError(message)
        if message["type"] == "message_complete":
            return time.perf_counter() - began


async def deaf(crowd: Crowd) -> None:
    """Ask, and never read."""
    connection = await crowd.open()
    connection.transport.pause_reading()
    question = {"type": "message", "conversation_id": "deaf", "content": QUESTION}
    await connection.send(json.dumps(question))


async def cut(crowd: Crowd) -> None:
    """Ask, and break the connection off."""
    await deaf(crowd)


async def probe(url: str) -> list[float]:
    """Ask what is kept, again and again until stdin ends; return how long each took."""
    connection = await Crowd(url).open()
    over = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    taken = [await ask(connection, "probe")]
    while not over.done():
        taken.append(await ask(connection, "probe"))
        await asyncio.sleep(PAUSE_S)
    return taken


def start_probe(url: str) -> subprocess.Popen[str]:
    """Start a process of its own for the probe: the crowd's would make it wait for its turn."""
    command = [sys.executable, __file__, url, "--probe"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def asker(crowd: Crowd, seconds: float) -> list[float]:
    """Ask at once with all others, then every now and then, as people do: not in step."""
    connection = await crowd.open()
    end = time.monotonic() + seconds
    taken = []
    while time.monotonic() < end:
        taken.append(await ask(connection, "asker"))
        await asyncio.sleep(random.uniform(0.5, 1.5) * seconds / 3)
    return taken


async def measure(options: argparse.Namespace) -> dict[str, object]:
    """Return the figures."""
    crowd, pid = Crowd(options.url), options.pid
    async with connect(
        f"ws{options.url.removeprefix('http')}{PATH}", origin=options.url, compression=None
    ) as first:
        await ask(first, "first")  # from now on the answer is kept
        for _ in range(20):
            await ask(first, "first")
    await asyncio.sleep(0.5)
    before = state(pid)
    probing = start_probe(options.url)
    began = time.monotonic()
    slow = await asyncio.gather(*(crowd.slow() for _ in range(options.slow)))
    await asyncio.gather(*(crowd.open() for _ in range(options.idle)))
    await asyncio.gather(*(deaf(crowd) for _ in range(options.deaf)))
    marked = len(crowd.connections)
    await asyncio.gather(*(cut(crowd) for _ in range(options.cut)))
    gone = crowd.connections[marked : marked + options.cut]
    opened_s = time.monotonic() - began
    asking = [asyncio.create_task(asker(crowd, options.seconds)) for _ in range(options.asking)]
    await asyncio.sleep(0.2)
    most = state(pid)
    for connection in gone:
        reset(connection)
    answers = [taken for one in await asyncio.gather(*asking) for taken in one]
    most = {name: max(most[name], value) for name, value in state(pid).items()}
    said, _ = await asyncio.to_thread(probing.communicate)  # which ends its stdin
    probes = json.loads(said)
    await crowd.close()
    for writer in slow:
        writer.transport.abort()
    back_s = await back(pid, before)
    return {
        "connections": len(crowd.connections) + len(slow),
        "opened_s": round(opened_s, 2),
        "probes": len(probes),
        "probe_p50_ms": percentile(probes, 0.5),
        "probe_p99_ms": percentile(probes, 0.99),
        "probe_max_ms": percentile(probes, 1.0),
        "answers": len(answers),
        "answer_p50_ms": percentile(answers, 0.5),
        "answer_max_ms": percentile(answers, 1.0),
        "memory_growth_mb": round((most["memory"] - before["memory"]) / MEGABYTE, 1),
        "most_files": most["files"],
        "files_before": before["files"],
        "files_after": state(pid)["files"],
        "back_to_base_s": back_s,
    }


def reset(connection: ClientConnection) -> None:
    """Break a connection off without a word."""
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


async def back(pid: int, before: dict[str, int]) -> float | None:
    """Return in how many seconds the server has closed everything, None: it has not."""
    began = time.monotonic()
    while state(pid)["files"] > before["files"]:
        if time.monotonic() - began > BACK_S:
            return None
        await asyncio.sleep(0.05)
    return round(time.monotonic() - began, 2)


def state(pid: int) -> dict[str, int]:
    """Return a process's resident bytes and its open files."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return {"memory": pages * resource.getpagesize(), "files": files}


def percentile(taken: list[float], share: float) -> float:
    """Return the milliseconds that this share of them did not exceed."""
    if not taken:
        return math.nan
    if share == 0.5:
        return round(statistics.median(taken) * 1000, 1)
    return round(sorted(taken)[max(0, math.ceil(share * len(taken)) - 1)] * 1000, 1)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("pid", type=int, nargs="?")
    parser.add_argument("--probe", action="store_true", help="be the polite asker alone")
    for name, default in (("asking", 100), ("deaf", 300), ("cut", 200), ("slow", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--idle", type=int, default=350)
    parser.add_argument("--seconds", type=float, default=10.0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options = parser.parse_args()
    found = probe(options.url) if options.probe else measure(options)
    json.dump(asyncio.run(found), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()

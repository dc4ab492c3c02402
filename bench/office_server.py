"""A server that speaks Ollama's protocol at the speed of an office computer.

    python bench/office_server.py [--port N] [--prompt-speed 60] [--output-speed 32] [--load 2]

It has one slot with a queue, forgets the model when `keep_alive` is over, pays only for the tokens
after the prefix that it shares with the prompt before, and notices during a prompt's evaluation
that a client has left no sooner than at the first token, as Ollama does. Its answers are the first
sentences of the prompt's passages: true in length and speed, nothing in quality.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.copied_answer import TOKEN, copied_answer

VERSION = "0.17.4"
FOR_EVER_S = 1e9
DEFAULT_KEEP_ALIVE_S = 300.0
UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}


@dataclass(frozen=True, slots=True)
class Machine:
    """Hold what the computer can do, in tokens a second and seconds, and how much it says."""

    prompt_speed: float = 60.0
    output_speed: float = 32.0
    load_s: float = 2.0
    answer_tokens: int = 60
    model: str = "phi3:mini"


@dataclass(slots=True)
class Client:
    """Hold a connection: where it is written to, and the task that ends when it is gone."""

    writer: asyncio.StreamWriter
    leaving: asyncio.Task[bytes]

    @property
    def gone(self) -> bool:
        """Say whether the client has hung up."""
        return self.leaving.done() or self.writer.is_closing()


class OfficeServer:
    """Serve one model; ``loads`` counts how often it was brought into memory."""

    def __init__(self, machine: Machine | None = None) -> None:
        self.machine = machine or Machine()
        self.loads = 0
        self._slot = asyncio.Lock()
        self._loaded_until = 0.0
        self._read: list[str] = []

    @property
    def busy(self) -> bool:
        """Say whether a generation is under way."""
        return self._slot.locked()

    async def start(self, port: int = 0) -> asyncio.Server:
        """Listen on this machine alone."""
        return await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        leaving: asyncio.Task[bytes] | None = None
        try:
            path, body = await _request(reader)
            leaving = asyncio.create_task(reader.read())
            await self._route(path, body, Client(writer, leaving))
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # a client that hung up or speaks no HTTP
        finally:
            if leaving is not None:
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _route(self, path: str, body: dict[str, Any], client: Client) -> None:
        listed = {"name": self.machine.model, "model": self.machine.model}
        if path == "/api/version":
            await _reply(client, 200, {"version": VERSION})
        elif path == "/api/tags":
            await _reply(client, 200, {"models": [listed]})
        elif path == "/api/ps":
            await _reply(client, 200, {"models": [listed] if self._loaded else []})
        elif path != "/api/chat":
            await _reply(client, 404, {"error": f"no {path}"})
        elif body.get("model") != self.machine.model:
            await _reply(client, 404, {"error": f"model '{body.get('model')}' not found"})
        else:
            await self._chat(body, client)

    @property
    def _loaded(self) -> bool:
        return time.monotonic() < self._loaded_until

    async def _chat(self, body: dict[str, Any], client: Client) -> None:
        if not await self._queue(client):
            return
        try:
            await self._generate(body, client)
        finally:
            keep_alive_s = _seconds(body.get("keep_alive"))
            self._loaded_until = time.monotonic() + keep_alive_s
            if not keep_alive_s:
                self._read = []
            self._slot.release()

    async def _queue(self, client: Client) -> bool:
        """Wait for the slot; False when the client left before."""
        turn = asyncio.create_task(self._slot.acquire())
        await asyncio.wait({turn, client.leaving}, return_when=asyncio.FIRST_COMPLETED)
        if turn.done():
            return True
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)
        return False

    async def _generate(self, body: dict[str, Any], client: Client) -> None:
        start = time.monotonic()
        if not self._loaded:
            self.loads += 1
            self._read = []
            await asyncio.sleep(self.machine.load_s)
        load_s = time.monotonic() - start
        prompt = "\n".join(message["content"] for message in body["messages"])
        tokens = TOKEN.findall(prompt)
        prompt_s = (len(tokens) - self._common(tokens)) / self.machine.prompt_speed
        await asyncio.sleep(prompt_s)
        self._read = tokens
        pieces = TOKEN.findall(copied_answer(prompt, self.machine.answer_tokens))
        limit = body.get("options", {}).get("num_predict", -1)
        said = pieces[:limit] if limit >= 0 else pieces
        started = time.monotonic()
        if not await self._say(said, client):
            return
        last = _line("", done=True) | {
            "done_reason": "length" if len(said) < len(pieces) else "stop",
            "total_duration": _nanoseconds(time.monotonic() - start),
            "load_duration": _nanoseconds(load_s),
            "prompt_eval_count": len(tokens),
            "prompt_eval_duration": _nanoseconds(prompt_s),
            "eval_count": len(said),
            "eval_duration": _nanoseconds(time.monotonic() - started),
        }
        await _send(client, last)
        client.writer.write(b"0\r\n\r\n")
        await client.writer.drain()

    def _common(self, tokens: list[str]) -> int:
        """Return how many tokens stand at the beginning of the prompt before; one is read anew."""
        pairs = zip(tokens, self._read, strict=False)
        common = next((i for i, (new, old) in enumerate(pairs) if new != old), None)
        if common is None:
            common = min(len(tokens), len(self._read))
        return min(common, len(tokens) - 1)

    async def _say(self, pieces: list[str], client: Client) -> bool:
        """Write the pieces in time; False when the client left."""
        start = time.monotonic()
        client.writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for number, piece in enumerate(pieces, 1):
            due_s = start + number / self.machine.output_speed - time.monotonic()
            await asyncio.sleep(max(0.0, due_s))
            if client.gone:
                return False
            await _send(client, _line(piece))
        return True


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    path = head.split()[1]
    length = re.search(r"^content-length: *(\d+)", head, re.I | re.M)
    body = await reader.readexactly(int(length[1])) if length else b""
    return path, json.loads(body) if body else {}


async def _reply(client: Client, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
    client.writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    await client.writer.drain()


async def _send(client: Client, line: dict[str, Any]) -> None:
    data = json.dumps(line).encode() + b"\n"
    client.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await client.writer.drain()


def _line(content: str, *, done: bool = False) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", "content": content}, "done": done}


def _seconds(keep_alive: str | float | None) -> float:
    if keep_alive is None:
        return DEFAULT_KEEP_ALIVE_S
    parts = re.findall(r"(-?\d+(?:\.\d+)?)(h|ms|m|s)?", str(keep_alive))
    total = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    return FOR_EVER_S if total < 0 else total


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)


async def _run(machine: Machine, port: int) -> None:
    listening = await OfficeServer(machine).start(port)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", flush=True)
    async with listening:
        await listening.serve_forever()


def main() -> None:
    """Serve until interrupted; the address is the first line printed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--prompt-speed", type=float, default=60.0, help="tokens/s")
    parser.add_argument("--output-speed", type=float, default=32.0, help="tokens/s")
    parser.add_argument("--load", type=float, default=2.0, dest="load_s", help="seconds")
    parser.add_argument("--answer-tokens", type=int, default=60)
    parser.add_argument("--model", default="phi3:mini")
    options = vars(parser.parse_args())
    port = options.pop("port")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(Machine(**options), port))


if __name__ == "__main__":
    main()

"""What nobody polite sends: refused at once with the right code, and the next client is served."""

from __future__ import annotations

import json
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from rag.retriever import LONGEST_QUESTION
from rag.server.protocols import HEAD_S, MOST_FRAGMENTS
from rag.server.websocket import BAD_IN_A_ROW, MOST_FRAMES
from tests.scripted import wait_until
from tests.server.running import Running, serving
from tests.server.sockets import Asker, asking, close_code, frame, raw_socket

QUICK_S = 1.0  # 50 ms where nothing else runs
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose answers are extracts."""
    data = tmp_path_factory.mktemp("hostile") / "data"
    with serving(HELP_DATA_DIR=data, HELP_RATE_LIMIT="none") as running:
        yield running


@pytest.fixture
def asker(running: Running) -> Iterator[Asker]:
    """A page's WebSocket; afterwards another one is served."""
    with asking(running) as asker:
        yield asker
    with asking(running) as another:
        another.ask()
        assert another.until()[-1]["content"]


BAD: dict[str, Any] = {
    "no JSON": "{",
    "nothing": "",
    "no object": "[1]",
    "null": "null",
    "deep": "[" * 30_000,
    "deep objects": '{"a":' * 10_000,
    "deep inside": '{"type":"stop","conversation_id":' + "[" * 20_000,
    "NaN": '{"type":"resume","conversation_id":"a","after":NaN}',
    "huge number": '{"type":"resume","conversation_id":"a","after":' + "9" * 5_000 + "}",
    "no type": "{}",
    "unknown type": '{"type":"message_complete"}',
    "type is a list": '{"type":[]}',
    "no content": '{"type":"message","conversation_id":"a"}',
    "content is a number": '{"type":"message","conversation_id":"a","content":1}',
    "conversation is a list": '{"type":"message","conversation_id":["a"],"content":"b"}',
    "conversation too long": json.dumps(
        {"type": "message", "conversation_id": "a" * 201, "content": "b"}
    ),
    "page is an object": '{"type":"message","conversation_id":"a","content":"b","page":{}}',
    "after is true": '{"type":"resume","conversation_id":"a","after":true}',
    "after is below 0": '{"type":"resume","conversation_id":"a","after":-1}',
    "after is a text": '{"type":"resume","conversation_id":"a","after":"1"}',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_is_no_message_is_refused_and_the_connection_kept(asker: Asker, text: str) -> None:
    began = time.monotonic()
    asker.connection.send(text)
    refused = asker.next()
    assert time.monotonic() - began < QUICK_S
    assert refused["type"] == "error" and refused["code"] == "bad_message"
    assert text[:50] not in refused["message"] or len(text) < 10
    asker.ask()
    assert asker.until()[-1]["content"]


def test_five_in_a_row_are_enough(asker: Asker) -> None:
    for _ in range(BAD_IN_A_ROW):
        asker.connection.send("{")
    for _ in range(BAD_IN_A_ROW):
        assert asker.next()["code"] == "bad_message"
    with pytest.raises(ConnectionClosed) as closed:
        asker.next()
    assert closed.value.rcvd and closed.value.rcvd.code == 1008


def test_a_flood_of_frames_is_ended(asker: Asker) -> None:
    with suppress(ConnectionClosed):
        for _ in range(MOST_FRAMES * 3):
            asker.send("stop", conversation_id="a")
    with pytest.raises(ConnectionClosed) as closed:
        asker.next()
    assert closed.value.rcvd and closed.value.rcvd.code == 1008


def test_a_question_that_is_too_long_is_refused_in_its_language(asker: Asker) -> None:
    asker.ask("a" * LONGEST_QUESTION)
    assert asker.until()[-1]["type"] == "message_complete"
    asker.ask("Comment créer un client ? " * 1_000)
    refused = asker.next()
    assert refused["code"] == "too_long" and refused["conversation_id"] == "123"
    assert "trop long" in refused["message"]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(b"a" * MEGABYTE)], 1009),
        ([frame(b"a" * 1_000, length=10 * MEGABYTE)], 1009),
        ([frame(b"a" * 60_000, final=False), frame(b"a" * 60_000, 0)], 1009),
        ([frame(b"", final=False), frame(b"", 0, final=False) * (MOST_FRAGMENTS + 1)], 1009),
        ([frame(b"\x00\x01", 2)], 1003),
        ([frame(b"\xff\xfe")], 1007),
        ([frame("é".encode()[:1])], 1007),
        ([frame(b"{}", 3)], 1002),
        ([frame(b"{}", 0)], 1002),
        ([b"\x81\x02{}"], 1002),
        ([frame(b"a" * 126, 9)], 1002),
    ],
    ids=[
        "1 MB",
        "10 MB announced",
        "in two frames",
        "empty fragments",
        "binary",
        "no UTF-8",
        "half a letter",
        "unknown opcode",
        "continued from nothing",
        "not masked",
        "long ping",
    ],
)
def test_what_breaks_the_protocol_is_told_why(
    asker: Asker, running: Running, frames: list[bytes], code: int
) -> None:
    with raw_socket(running) as sock:
        began = time.monotonic()
        with suppress(ConnectionError):
            for data in frames:
                sock.sendall(data)
        assert close_code(sock) == code
        assert time.monotonic() - began < QUICK_S


@pytest.mark.parametrize(
    "text",
    [
        "Comment\x00créer un client ?",
        "Comment cr\ud83déer un client ?",
        "\u202eComment créer un client ?\u202c",
        "Comment\u200bcréer\ufeff un client ?",
        "👩\u200d👩\u200d👧 Comment créer un client ?",
        "\x1b[31mComment créer un client ?",
    ],
)
def test_odd_letters_do_no_harm(asker: Asker, text: str) -> None:
    frame_text = json.dumps({"type": "message", "conversation_id": "a", "content": text})
    asker.connection.send(frame_text)
    assert asker.until()[-1]["type"] == "message_complete"


def memory_bytes(running: Running) -> int:
    return int(Path(f"/proc/{running.process.pid}/statm").read_text().split()[1]) * 4_096


def test_pings_whose_answers_nobody_reads_do_not_pile_up(running: Running) -> None:
    with raw_socket(running) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.settimeout(5)
        before = memory_bytes(running)
        pings = frame(b"a" * 125, 9) * 8_000  # a megabyte
        with suppress(TimeoutError, ConnectionError):
            for _ in range(20):
                sock.sendall(pings)
        assert memory_bytes(running) - before < 8 * MEGABYTE


def test_a_handshake_that_never_ends_is_ended(asker: Asker, running: Running) -> None:
    silent = raw_socket(running, shake_hands=False)
    slow = raw_socket(running, shake_hands=False)
    slow.sendall(b"GET /ws/ai_assistant/ HTTP/1.1\r\nX-Slow: ")
    slow.settimeout(0.2)

    def ended() -> bool:
        with suppress(TimeoutError):
            try:
                slow.sendall(b"a")
                return slow.recv(1) == b""
            except ConnectionError:
                return True
        return False

    with silent, slow:
        began = time.monotonic()
        assert wait_until(ended, HEAD_S + 5)
        assert time.monotonic() - began > HEAD_S / 2
        silent.settimeout(5)
        with suppress(ConnectionError):
            assert silent.recv(1) == b""


def test_who_never_reads_is_cut_off(running: Running) -> None:
    name = str(uuid.uuid4())
    sock = raw_socket(running)
    with sock, asking(running) as asker:
        for _ in range(3):
            asker.ask(conversation=name)
            asker.until()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        again = {"type": "resume", "conversation_id": name, "after": 0}
        with suppress(ConnectionError):
            sock.sendall(frame(json.dumps(again).encode()) * (MOST_FRAMES - 1))
        assert wait_until(lambda: "does not read" in running.log(), 10)
        asker.ask()
        assert asker.until()[-1]["content"]


def test_resets_in_the_middle_leave_nothing(running: Running) -> None:
    def files() -> int:
        return len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))

    with asking(running) as asker:
        asker.ask()
        asker.until()
        before = files()
        for _ in range(20):
            sock = raw_socket(running)
            sock.sendall(frame(b'{"type":"message","conversation_id":"a","content":"client"}'))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        assert wait_until(lambda: files() <= before, 5)
        asker.ask()
        assert asker.until()[-1]["content"]
    assert "Traceback" not in running.log()

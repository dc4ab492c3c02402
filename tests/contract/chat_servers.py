"""Small servers that speak the chat protocols of Ollama, OpenAI and Anthropic."""

import asyncio
import contextlib
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.generators import Generator
from rag.generators.ollama import OllamaGenerator
from rag.generators.sdk import AnthropicGenerator, OpenAIGenerator
from rag.prompt import Prompt
from tests.scripted import HEAD, ScriptedServer, line, reply

KEY = "sk-test-key"
PROMPT = Prompt("Répondez.", "Comment créer un client ?", (), 20)
GRACE_S = 0.2
SILENT_S = 60
SSE_HEAD = HEAD.replace(b"application/x-ndjson", b"text/event-stream")


def written(
    generator: Generator, seconds: float = 30.0, prompt: Prompt = PROMPT
) -> list[str | Usage]:
    """What a generator yields, to its end."""

    async def collect() -> list[str | Usage]:
        return [part async for part in generator.stream(prompt, Deadline(seconds))]

    return asyncio.run(collect())


class ChatServer(ScriptedServer):
    """Play a script, or what a function of the request says, and see when a client hangs up."""

    def __init__(self, script):
        super().__init__(script)
        self.hung_up = threading.Event()

    def _play(self, client):
        with client, contextlib.suppress(OSError):
            client.settimeout(5)
            body = self._read(client)
            self.requests.append(body)
            for step in self.script(json.loads(body)) if callable(self.script) else self.script:
                if isinstance(step, bytes):
                    client.sendall(step)
                elif self._leaves(client, step):
                    self.hung_up.set()
                    return

    def _leaves(self, client, seconds: float) -> bool:
        while seconds > 0 and not self._stop.is_set():
            if select.select([client], [], [], min(seconds, 0.05))[0]:
                return client.recv(1) == b""
            seconds -= 0.05
        return self._stop.is_set()


@contextlib.contextmanager
def deaf_url() -> Iterator[str]:
    """An address at which no connection is ever accepted: its queue is full."""
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(2):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class Backend:
    """Hold how a generator is opened and what its server would say."""

    name: str
    open: Callable[[str], Generator]
    head: bytes
    piece: Callable[[str], bytes]
    end: Callable[..., bytes]  # (reason="stop") with 311 prompt and 7 output tokens
    error: bytes  # in the stream
    garbage: bytes  # in the stream
    limit: Callable[[dict], int]
    key_setting: str | None


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(body: dict | str, name: str = "") -> bytes:
    """One server-sent event, in HTTP's chunked coding."""
    data = body if isinstance(body, str) else json.dumps(body)
    return chunked((f"event: {name}\n" * bool(name) + f"data: {data}\n\n").encode())


def openai_chunk(delta: dict | None = None, reason: str | None = None, usage=None) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    frame = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return event({**frame, "choices": choices, "usage": usage})


def openai_end(reason: str = "stop") -> bytes:
    counts = {"prompt_tokens": 311, "completion_tokens": 7, "total_tokens": 18}
    return openai_chunk({}, reason) + openai_chunk(usage=counts) + event("[DONE]") + b"0\r\n\r\n"


def anthropic_event(kind: str, **body) -> bytes:
    return event({"type": kind, **body}, kind)


def anthropic_start() -> bytes:
    usage = {"input_tokens": 308, "cache_read_input_tokens": 3, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    block = {"type": "text", "text": ""}
    return (
        anthropic_event(
            "message_start",
            message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage},
        )
        + anthropic_event("content_block_start", index=0, content_block=block)
        + anthropic_event("ping")
    )


def anthropic_piece(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return anthropic_event("content_block_delta", index=0, delta=delta)


def anthropic_end(reason: str = "stop") -> bytes:
    reason = {"stop": "end_turn", "length": "max_tokens"}.get(reason, reason)
    delta = {"stop_reason": reason, "stop_sequence": None}
    return (
        anthropic_event("content_block_stop", index=0)
        + anthropic_event("message_delta", delta=delta, usage={"output_tokens": 7})
        + anthropic_event("message_stop")
        + b"0\r\n\r\n"
    )


def ollama_end(reason: str = "stop") -> bytes:
    counts = {"prompt_eval_count": 311, "eval_count": 7, "done_reason": reason}
    return line(done=True, **counts) + b"0\r\n\r\n"


FAULT = {"type": "overloaded_error", "message": "overloaded"}
OLLAMA = Backend(
    name="ollama",
    open=lambda url: OllamaGenerator("m", url, "5m"),
    head=HEAD,
    piece=line,
    end=ollama_end,
    error=chunked(b'{"error": "overloaded"}\n'),
    garbage=chunked(b"\x00\xff{{{\n"),
    limit=lambda sent: sent["options"]["num_predict"],
    key_setting=None,
)
OPENAI = Backend(
    name="openai",
    open=lambda url: OpenAIGenerator("m", url, KEY),
    head=SSE_HEAD,
    piece=lambda text: openai_chunk({"content": text}),
    end=openai_end,
    error=event({"error": FAULT}),
    garbage=chunked(b"data: \x00\xff{{{\n\n"),
    limit=lambda sent: sent["max_tokens"],
    key_setting="OPENAI_API_KEY",
)
ANTHROPIC = Backend(
    name="anthropic",
    open=lambda url: AnthropicGenerator("m", url, KEY),
    head=SSE_HEAD + anthropic_start(),
    piece=anthropic_piece,
    end=anthropic_end,
    error=anthropic_event("error", error=FAULT),
    garbage=chunked(b"event: content_block_delta\ndata: \x00\xff{{{\n\n"),
    limit=lambda sent: sent["max_tokens"],
    key_setting="ANTHROPIC_API_KEY",
)
BACKENDS = [OLLAMA, OPENAI, ANTHROPIC]


def refusal(status: int, message: str = "no", **more) -> bytes:
    """A whole response that every client reads as an error."""
    return reply(status, {"type": "error", "error": {"type": "x", "message": message, **more}})

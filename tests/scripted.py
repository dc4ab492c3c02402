"""A small server that speaks bytes: it plays a script to every client, so that faults are real."""

import contextlib
import json
import socket
import threading
import time

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def line(content="", done=False, **extra) -> bytes:
    """One chunk of Ollama's chat stream, in HTTP's chunked coding."""
    message = {"role": "assistant", "content": content}
    body = json.dumps({"model": "m", "message": message, "done": done, **extra}).encode() + b"\n"
    return b"%x\r\n%s\r\n" % (len(body), body)


def reply(status: int, body: dict) -> bytes:
    """A whole HTTP response with a JSON body."""
    data = json.dumps(body).encode()
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
        "\r\nConnection: close\r\n\r\n"
    ).encode() + data


END = b"0\r\n\r\n"


class ScriptedServer:
    """Play ``script`` (bytes are sent, numbers are seconds waited) to each client, then close.

    ``requests`` keeps what clients sent. A client that hangs up ends its script.
    """

    def __init__(self, script):
        self.script = script
        self.requests: list[bytes] = []
        self._stop = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._clients: list[socket.socket] = []

    def hang_up(self):
        """Cut every connection; those to come play ``script`` as it is then."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        while not self._stop.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._play, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, client):
        with client, contextlib.suppress(OSError):
            client.settimeout(5)
            self._clients.append(client)
            self.requests.append(self._read(client))
            for step in self.script:
                if isinstance(step, bytes):
                    client.sendall(step)
                else:
                    self._stop.wait(step)

    @staticmethod
    def _read(client) -> bytes:
        def more() -> bytes:
            if piece := client.recv(65536):
                return piece
            raise ConnectionError("the client hung up")

        data = b""
        while b"\r\n\r\n" not in data:
            data += more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (
                int(h.split(b":")[1])
                for h in head.split(b"\r\n")
                if h.lower().startswith(b"content-length")
            ),
            0,
        )
        while len(body) < length:
            body += more()
        return body


def unused_url() -> str:
    """An address of this machine where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def wait_until(condition, seconds: float) -> bool:
    """Wait for a condition; say whether it came true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(condition())

"""A program in a terminal of its own, typed at and read as a person would."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from collections.abc import Callable

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|[\x01\x02\r]")
CTRL_C, CTRL_D = "\x03", "\x04"
LIMIT_S = 60.0  # generous: the machine may be busy
AGAIN_S = 10.0


class Terminal:
    """Run a command in a pseudo-terminal; what it shows is read without colours."""

    def __init__(self, command: list[str], **settings: str) -> None:
        self.shown = ""
        self._bytes = b""
        self._closed = False
        self._read = 0  # of what is shown, up to the last text waited for
        self.code: int | None = None
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execve(command[0], command, os.environ | {"TERM": "xterm"} | settings)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait_for(self, text: str, typing: str = "") -> str:
        """Return what is shown up to a text that has not been waited for yet.

        ``typing`` is typed now, and again after a while: a Ctrl-C that falls between readline's
        look at signals and its wait is only seen with the next key.
        """
        found = self._read_until(lambda: self.shown.find(text, self._read) >= 0, typing)
        assert found, f"{text!r} is not shown: {self.shown[self._read :]!r}"
        place = self.shown.find(text, self._read)
        said = self.shown[self._read : place]
        self._read = place + len(text)
        return said

    def ended(self, typing: str = "") -> int:
        """Return the exit code. Raises: AssertionError when the program goes on."""
        self._read_until(lambda: False, typing)
        assert self._closed, f"goes on: {self.shown[self._read :]!r}"
        self.code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self.code

    def _read_until(self, condition: Callable[[], bool], typing: str) -> bool:
        start, typed = time.monotonic(), 0
        while not condition() and not self._closed and time.monotonic() < start + LIMIT_S:
            if typing and time.monotonic() >= start + typed * AGAIN_S:
                typed += 1
                self.type(typing)
            self._take(0.1)
        return condition()

    def _take(self, limit_s: float) -> None:
        """Read what there is to read."""
        if not select.select([self._fd], [], [], limit_s)[0]:
            return
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # how Linux says that the other side is closed
            data = b""
        self._closed = not data
        self._bytes += data
        self.shown = ESCAPES.sub(b"", self._bytes).decode("utf-8", "ignore")

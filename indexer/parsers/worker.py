"""Parse pages in a child process: a page that would take for ever, or all memory, costs < 2 s.

No parser can promise a limit itself: lexbor needs 14 s for 100,000 nested elements, and a few
kilobytes of misnested ``<b><i>`` make it allocate without end.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from indexer.parsers import parse_page
from rag.core.documents import Page
from rag.core.errors import CorpusError, HelpError

# Of processor time: a busy machine costs no page. With the start of another child after it, a
# hostile page costs less than 2 s.
PAGE_LIMIT_S = 1.5
# One PDF is often a whole manual: it gets more time by its size, at most as much as 4 MB.
PDF_BYTES_A_SECOND = 200_000
PDF_LIMIT_S = 20.0
_START_LIMIT_S = 30.0
_TIMED = hasattr(signal, "setitimer")  # not on Windows, where the limit is of the clock's time
_PATIENCE = 10 if _TIMED else 1  # times the limit, by the clock
_LATE = {-signal.SIGPROF, -signal.SIGALRM} if sys.platform != "win32" else set()
_MEMORY_BYTES = 1 << 30


def _limit_s(data: bytes, page_id: str) -> float:
    if not page_id.lower().endswith(".pdf"):
        return PAGE_LIMIT_S
    return min(PAGE_LIMIT_S + len(data) / PDF_BYTES_A_SECOND, PDF_LIMIT_S)


class Worker:
    """Keep one child process, started when a page needs it and again when it had to be killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def parse(self, data: bytes, page_id: str) -> Page:
        """Parse a page. Raises: CorpusError when it cannot be read within the limit."""
        with self._lock:
            process = self._started()
            limit_s = _limit_s(data, page_id)
            start = time.monotonic()
            reply = _ask(process, (data, page_id), limit_s * _PATIENCE)
            if isinstance(reply, Page):
                return reply
            if reply is None:
                self._stop()
                waited_s = time.monotonic() - start
                late = process.returncode in _LATE or waited_s >= limit_s * _PATIENCE
                reply = f"takes longer than {limit_s:g} s to parse" if late else "breaks its parser"
            raise CorpusError(page_id, str(reply))

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        folder = str(Path(__file__).parents[2])
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            # -P: a package `rag` of the folder it is started in does not hide ours
            [sys.executable, "-P", "-m", "indexer.parsers.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        if _ask(self._process, None, _START_LIMIT_S) is None:
            self._stop()
            raise HelpError(
                "the page reader did not start; see why: python -m indexer.parsers.worker"
            )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def _ask(process: subprocess.Popen[bytes], question: object, limit_s: float) -> object | None:
    """Return the child's reply, None when it died or had to be killed."""
    watchdog = threading.Timer(limit_s, process.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        pickle.dump(question, process.stdin)  # type: ignore[arg-type]
        process.stdin.flush()  # type: ignore[union-attr]
        reply: object = pickle.load(process.stdout)  # type: ignore[arg-type]
        return reply
    except (OSError, EOFError, pickle.UnpicklingError):
        return None
    finally:
        watchdog.cancel()


def serve(questions: IO[bytes], replies: IO[bytes]) -> None:
    """Answer each pickled (data, page id) with a Page or the reason why there is none."""
    while True:
        try:
            question: Any = pickle.load(questions)
        except EOFError:
            return
        _alarm(_PATIENCE * PDF_LIMIT_S)
        replies.write(pickle.dumps("ready" if question is None else _answer(*question)))
        replies.flush()
        _alarm(0)


def _answer(data: bytes, page_id: str) -> Page | str:
    _limit_processor(_limit_s(data, page_id))
    try:
        return parse_page(data, page_id)
    except CorpusError as error:
        return error.reason
    finally:
        _limit_processor(0)


def _limit_processor(seconds: float) -> None:
    """Have this process ended when it has computed for so long; 0: never."""
    if _TIMED:
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _alarm(seconds: float) -> None:
    """End this process by itself should its parent be gone and unable to kill it."""
    if _TIMED:
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def _main() -> None:
    # Ctrl-C is for the parent, which may want the page in hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    replies = os.fdopen(os.dup(1), "wb")
    # What a parser prints must not end up among the replies.
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies)


shared = Worker()
atexit.register(shared.close)

if __name__ == "__main__":
    _main()

"""Hold a conversation in the terminal: one event loop, beside whoever types."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from souffleur.cli.ask import render
from souffleur.cli.output import printable

if TYPE_CHECKING:
    import asyncio

    from rag.assistant import Assistant
    from rag.conversation import Turn

Result = TypeVar("Result")
PROMPT = "› "
LEAVE = frozenset({"/quit", "/exit", "/quitter", "/q"})
FORGET = frozenset({"/new", "/nouveau", "/nouvelle"})


@click.command()
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="Hits to read.")
@click.option("--page", help="Page that the asker is on.")
@click.option("--no-llm", is_flag=True, help="Answer with extracts, without the language model.")
@click.pass_context
def chat(ctx: click.Context, k: int, page: str | None, no_llm: bool) -> None:
    """Answer one question after another; a follow-up may leave out what was said before.

    Ctrl-C stops an answer; Ctrl-D, or Ctrl-C where nothing is typed, leaves. When standard input
    is not a terminal, each of its lines is a question.
    """
    from functools import partial

    from rag.api import open_assistant
    from rag.config.settings import load_settings

    settings = load_settings()
    assistant = open_assistant(settings, use_model=not no_llm)
    with Loop() as loop:
        ask = partial(assistant.stream, k=k, page=page)
        talk = Talk(loop, ask, streaming=settings.streaming_enabled)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            talk.answer_lines()
        else:
            import logging

            if not ctx.find_root().params.get("debug"):
                # a warning in the middle of a typed line; the answer says the reason itself
                logging.getLogger("rag").setLevel(logging.ERROR)
            loop.start(_warm(assistant))
            talk.answer_typed()
        loop.result(assistant.close())


async def _warm(assistant: Assistant) -> None:
    """Load the model while the first question is typed."""
    with suppress(Exception):  # the first answer says what is wrong with the model
        await assistant.warm()


class Loop:
    """Run coroutines in a thread of their own, so that a person may type meanwhile."""

    def __enter__(self) -> Loop:
        import asyncio

        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._task: asyncio.Task[Any] | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._runner.close()  # cancels what is left

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin a coroutine and do not wait for it."""
        import asyncio

        asyncio.run_coroutine_threadsafe(work, self._loop)

    def result(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return a coroutine's result. Raises: CancelledError when `stop` was called meanwhile."""
        ended = threading.Event()

        def begin() -> None:
            self._task = self._loop.create_task(work)
            self._task.add_done_callback(lambda _: ended.set())

        self._loop.call_soon_threadsafe(begin)
        ended.wait()
        task, self._task = self._task, None
        assert task is not None
        done: Result = task.result()
        return done

    def stop(self) -> None:
        """Cancel what `result` waits for; it ends when the model has been hung up on."""
        self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())


class Talk:
    """Hold one conversation after another with whoever types or with the lines of a file."""

    def __init__(self, loop: Loop, ask: Any, *, streaming: bool) -> None:
        self._loop = loop
        self._ask = ask
        self._streaming = streaming
        self._lang = "fr"
        self._id = new_id()
        self._asked: list[Turn] = []
        self._prompting = False
        self._typed = ""  # what Ctrl-C found at the prompt

    def answer_lines(self) -> None:
        """Answer each line of standard input."""
        for line in sys.stdin:
            if not self._obeys(line.strip()):
                return
            click.echo("")

    def answer_typed(self) -> None:
        """Answer what is typed, until the person leaves."""
        for lang in ("fr", "en"):
            self._say("chat", lang)
        with self._interruptible() as prompt:
            while (line := self._typed_line(prompt)) is not None and self._obeys(line.strip()):
                pass

    def _typed_line(self, prompt: str) -> str | None:
        """Return the next line; None when the person leaves."""
        click.echo("")
        while True:
            self._prompting, self._typed = True, ""
            try:
                return input(prompt)
            except (EOFError, KeyboardInterrupt):
                click.echo("")
                if not self._typed:
                    return None
            finally:
                self._prompting = False

    def _obeys(self, line: str) -> bool:
        """Do what a line asks; return whether to go on."""
        if line.startswith("/"):
            if line in LEAVE:
                return False
            if line in FORGET:
                self._id = new_id()
            self._say("chat_new" if line in FORGET else "chat_help", self._lang)
        elif line:
            self._answer(line.encode("utf-8", "replace").decode())
        return True

    def _answer(self, question: str) -> None:
        from asyncio import CancelledError

        from rag.core.errors import QuestionRefused
        from rag.core.records import Turn
        from rag.question import read_question

        self._lang = read_question(question, self._asked).language
        self._asked = [Turn(question, question)]
        events = self._ask(question, conversation_id=self._id)
        try:
            self._loop.result(render(events, self._lang, streaming=self._streaming))
        except QuestionRefused as error:
            click.echo(printable(str(error)), err=True)
        except CancelledError:
            click.echo("")
            self._say("chat_stopped", self._lang)

    def _say(self, key: str, lang: str) -> None:
        from rag.language.messages import message

        click.secho(message(key, lang), dim=True)

    @contextmanager
    def _interruptible(self) -> Iterator[str]:
        """Let Ctrl-C stop an answer, or leave where nothing is typed; yield the prompt to show."""
        from importlib import import_module

        lines: Any = None
        with suppress(ImportError):  # arrow keys, and the questions asked before
            lines = import_module("readline")

        def interrupted(*_: object) -> None:
            if not self._prompting:
                return self._loop.stop()
            self._typed = lines.get_line_buffer() if lines else ""
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, interrupted)
        try:
            # readline must know which characters take no room
            yield f"\001\033[1m\002{PROMPT}\001\033[0m\002" if lines else PROMPT
        finally:
            signal.signal(signal.SIGINT, before)


def new_id() -> str:
    """Return an id that no other conversation has."""
    from uuid import uuid4

    return uuid4().hex

"""`doctor --fix`: an Ollama that hangs is stopped, started again and asked for a token."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from psutil import Process

from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, HelpError, ModelUnavailable
from rag.diagnostics import OnProgress
from rag.diagnostics.doctor_model import missing_models
from rag.diagnostics.doctor_services import (
    OllamaServer,
    as_run,
    end_process,
    family,
    is_local,
    is_ollama,
    kill_process,
    listener,
    name_of,
    parent_of,
    program_of,
    wait_gone,
    windows_service,
)
from rag.generators import open_generators
from rag.prompt import MARK, RULES, Prompt

COMMAND_S = 4.0  # a manager waits longer for a server that hangs: its process is killed then
LOG = "ollama.log"
CONTAINERS = re.compile(r"docker|containerd|kubepods|libpod|lxc")
UNIT = re.compile(r"/([^/\n]+\.service)\s*$", re.MULTILINE)
PAUSE_S = 5.0  # between stop and start, as long as a server may take to let go of its memory
STARTING_S = 10.0
WARMING_S = 60.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Manager:
    """Hold how a server is stopped and started, in words and as what does it.

    ``stop`` may return before the server has ended. ``start`` raises HelpError.
    """

    stopping: str
    starting: str
    stop: Callable[[], None]
    start: Callable[[], None]
    log: str


def manager_of(process: Process, data_dir: Path) -> Manager:
    """Return what runs a server. Raises: HelpError when it is not ours to stop."""
    if not is_ollama(process):
        name = name_of(process)
        hint = " Restart its container: docker restart ollama." if "docker" in name else ""
        raise HelpError(
            f"The port of OLLAMA_URL is held by {name} (pid {process.pid}), which is no Ollama:"
            f" nothing was done.{hint}"
        )
    found = {"linux": _on_linux, "darwin": _on_macos, "win32": _on_windows}.get(sys.platform)
    return (found and found(process)) or _plain(process, data_dir)


def manager_to_start(server: OllamaServer, data_dir: Path) -> Manager:
    """Return what starts an Ollama that is not running. Raises: HelpError without one."""
    if sys.platform == "linux":
        for scope in ((), ("--user",)):
            if _knows("systemctl", *scope, "cat", "ollama.service"):
                return _systemd("ollama.service", scope)
    if sys.platform == "darwin":
        if _knows("brew", "list", "ollama"):
            return _commanded(("brew", "services"), "ollama", order="verb first")
        if Path("/Applications/Ollama.app").exists():
            return _mac_app()
    program = shutil.which("ollama")
    if program is None:
        raise HelpError("Ollama is not installed here: https://ollama.com/download")
    environment = os.environ | {"OLLAMA_HOST": f"{server.host}:{server.port}"}
    start = partial(_spawn, [program, "serve"], environment, Path.cwd(), data_dir / LOG)
    return Manager("", f"{program} serve", lambda: None, start, str(data_dir / LOG))


def _on_linux(process: Process) -> Manager | None:
    groups = _read(f"/proc/{process.pid}/cgroup")
    if CONTAINERS.search(groups) and groups != _read("/proc/self/cgroup"):
        raise HelpError("Ollama runs in a container: docker restart ollama (or its own name).")
    unit = UNIT.search(groups)
    if unit and unit[1].startswith("ollama"):
        return _systemd(unit[1], ("--user",) if "/user@" in groups else ())
    if Path("/etc/init.d/ollama").exists() and not Path("/run/systemd/system").exists():
        return _commanded(("service",), "ollama", order="name first")
    return None


def _on_macos(process: Process) -> Manager | None:
    if ".app/" in program_of(process):
        return _mac_app()
    listed = _said("brew", "services", "list")
    if re.search(r"^ollama\s+(started|error)", listed, re.MULTILINE):
        return _commanded(("brew", "services"), "ollama", order="verb first")
    return None


def _on_windows(process: Process) -> Manager | None:
    service = windows_service(process.pid)
    if service:
        return _commanded(("sc.exe",), service, order="verb first")
    parent = parent_of(process)
    if parent is None or name_of(parent).casefold() != "ollama app.exe":
        return None
    program, environment = program_of(parent), dict(os.environ)
    log = Path(environment.get("LOCALAPPDATA", "."), "Ollama", "server.log")
    # the app starts a new server when its own one is gone: it is ended first
    return Manager(
        f"end {program}",
        program,
        lambda: end_process([parent, *family(process)]),
        partial(_spawn, [program], environment, Path(program).parent, log.with_name(LOG)),
        str(log),
    )


def _plain(process: Process, data_dir: Path) -> Manager:
    """Return how a process that nobody manages is ended and run again, as it was run."""
    known = as_run(process)
    if known is None:
        raise HelpError(
            f"Ollama (pid {process.pid}) is another user's: run `doctor --fix` as that user, or"
            " as the administrator."
        )
    command, environment, folder = known
    log = data_dir / LOG
    return Manager(
        f"end process {process.pid}",
        " ".join(command),
        lambda: end_process([process]),
        partial(_spawn, command, environment, Path(folder), log),
        str(log),
    )


def _systemd(unit: str, scope: Sequence[str]) -> Manager:
    run = [*_as_root(), "systemctl"] if not scope else ["systemctl", *scope]
    log = f"journalctl {' '.join([*scope, '-u', unit])} -n 50"
    return _manager([*run, "stop", "--no-block", unit], [*run, "start", unit], log)


def _commanded(program: Sequence[str], name: str, *, order: str) -> Manager:
    run = [*_as_root(), *program] if program == ("service",) else list(program)
    stop, start = (
        ([name, "stop"], [name, "start"])
        if order == "name first"
        else (
            ["stop", name],
            ["start", name],
        )
    )
    return _manager([*run, *stop], [*run, *start], "the log of its service")


def _mac_app() -> Manager:
    return _manager(
        ["osascript", "-e", 'quit app "Ollama"'],
        ["open", "-a", "Ollama"],
        "~/.ollama/logs/server.log",
    )


def _manager(stop: list[str], start: list[str], log: str) -> Manager:
    def stopped() -> None:
        with suppress(subprocess.TimeoutExpired, OSError):  # what hangs is killed
            subprocess.run(stop, capture_output=True, timeout=COMMAND_S, check=False)

    return Manager(" ".join(stop), " ".join(start), stopped, partial(_run, start), log)


def _run(command: list[str]) -> None:
    by_hand = f"Start Ollama by hand: {' '.join(command).replace('-n ', '', 1)}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise HelpError(f"{command[0]} failed ({error}). {by_hand}") from None
    if done.returncode:
        raise HelpError(f"{' '.join(command)} failed: {done.stderr.strip()}. {by_hand}")


def _spawn(command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
    """Start a program that outlives this one."""
    options: dict[str, int | bool] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.DETACHED_PROCESS | 0x200}  # a group of its own
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **options,  # type: ignore[call-overload]
            )
    except OSError as error:
        raise HelpError(f"{command[0]} cannot be started: {error}. Try: ollama serve") from None


def _as_root() -> list[str]:
    is_root = getattr(os, "geteuid", lambda: 0)() == 0
    return [] if is_root else ["sudo", "-n"]


def _knows(*command: str) -> bool:
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_S, check=False)
        return done.returncode == 0
    return False


def _said(*command: str) -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_S, check=False
        ).stdout
    return ""


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text("utf-8")
    return ""


def restart_ollama(settings: Settings, say: Say) -> None:
    """Restart the Ollama of this machine by whatever runs it, then warm the model.

    Raises: HelpError, naming the command to give by hand, when that is not possible or not ours
    to do: another machine's server, another program, another user's process.
    """
    server = OllamaServer(settings.ollama_url)
    if not is_local(server.host):
        raise HelpError(f"Ollama runs on {server.host}: restart it there.")
    process = listener(server.port)
    if process is None:
        manager = manager_to_start(server, settings.data_dir)
        say(f"nothing listens at {server.where}")
    else:
        manager = manager_of(process, settings.data_dir)
        _stop(manager, process, say)
    say(f"start: {manager.starting}")
    manager.start()
    _wait_for(server, manager)
    models = server.models()
    say(f"{server.where} answers; models: {', '.join(sorted(models)) or 'none'}")
    if not missing_models(settings, models):
        _warm(settings, say)


def pull_missing(settings: Settings, say: Say, on_progress: OnProgress) -> None:
    """Fetch the models that the settings name and Ollama lacks. Raises: ModelUnavailable."""
    server = OllamaServer(settings.ollama_url)
    for name in missing_models(settings, server.models()):
        say(f"pull {name}, which may take minutes")
        for done, total in server.pull(name):
            on_progress(done, total)
        say(f"{name} is there")


def _stop(manager: Manager, process: Process, say: Say) -> None:
    say(f"stop: {manager.stopping}")
    end = time.monotonic() + PAUSE_S
    members = family(process)
    manager.stop()
    left = wait_gone(members, end - time.monotonic())
    if left:
        say("it does not end by itself: it is killed")
        kill_process(left)
    time.sleep(max(0.0, end - time.monotonic()))


def _wait_for(server: OllamaServer, manager: Manager) -> None:
    end = time.monotonic() + STARTING_S
    while server.api().state != "up":
        if time.monotonic() > end:
            raise HelpError(
                f"Ollama does not answer at {server.where} within {STARTING_S:g} s after its"
                f" start. See what it says: {manager.log}"
            )
        time.sleep(0.1)


def _warm(settings: Settings, say: Say) -> None:
    start = time.monotonic()
    try:
        asyncio.run(_one_token(settings))
    except (DeadlineExceeded, ModelUnavailable) as error:
        raise HelpError(f"Ollama was restarted, but generates nothing: {error}") from None
    say(f"{settings.model} writes again after {time.monotonic() - start:.1f} s")


async def _one_token(settings: Settings) -> None:
    generator = open_generators(settings)[0]
    prompt = Prompt(RULES, MARK, (), answer_tokens=1)
    async with aclosing(generator.stream(prompt, Deadline(WARMING_S))) as pieces:
        async for _ in pieces:
            pass

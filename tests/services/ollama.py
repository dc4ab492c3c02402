"""A real Ollama server, built from its Go module, with tiny models under the real names.

The models prove plumbing and protocol; they say nothing about quality or real speed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.services.common import ServiceError, cache_folder, locked, request, require, run, say
from tests.services.lifecycle import Service

VERSION = "0.17.4"
OLDEST_GO = (1, 24)
MINIAUDIO = "github.com/gen2brain/malgo@v0.11.24"
INSTEAD = "or set OLLAMA_URL"
SCRIPTS = Path(__file__).parent / "models"
CHAT_TEMPLATE = '''\
TEMPLATE """{{ if .System }}<|system|>
{{ .System }}<|end|>
{{ end }}{{ if .Prompt }}<|user|>
{{ .Prompt }}<|end|>
{{ end }}<|assistant|>
{{ .Response }}<|end|>"""
PARAMETER stop <|end|>
PARAMETER stop <|user|>
PARAMETER stop <|assistant|>
'''


@dataclass(frozen=True, slots=True)
class Model:
    """Say how a model is written: the script, its options, and whether it chats."""

    name: str
    script: str
    options: tuple[str, ...] = ()
    chats: bool = True
    # with two on two busy cores, ggml's spinning barriers cost ten times and more
    threads: int = 1


MODELS = (
    Model("phi3:mini", "chat.py"),
    Model("phi3:bavard", "chat.py", ("--no-end",)),
    Model("phi3:lent", "chat.py", ("--no-end", "--more-layers", "8", "--wide", "4096")),
    Model("nomic-embed-text", "embed.py", chats=False),
)
# What phi3:mini costs in time and memory: 2.15 GB, made on demand only.
SHAPED_MODEL = Model("phi3:shaped", "shaped.py", threads=2)  # timed on a machine left alone


def _root() -> Path:
    return cache_folder() / "ollama"


def _instruction_set() -> str:
    """Return the x86-64 level to build for; without AVX2 the models run ten times slower."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return "x86-64-v3" if {"avx2", "fma", "f16c"} <= set(flags) else "baseline"


def _program() -> Path:
    return _root() / f"program-{VERSION}-{_instruction_set()}" / "ollama"


def _python() -> Path:
    return _root() / "python" / "bin" / "python"


def prepare() -> None:
    """Build Ollama once, about 8 minutes of CPU, and what writes its models.

    Raises: ServiceError when a tool is missing or a build failed.
    """
    with locked(_root() / "prepare.lock"):
        if not _program().exists():
            _build()
        if not (_python().parent.parent / "ready").exists():
            _install_model_writer()


def _build() -> None:
    go = _check_tools()
    root, level = _root(), _instruction_set()
    environment = os.environ | {
        "GOPATH": str(root / "go"),
        "GOMODCACHE": str(root / "go" / "modules"),
        "GOCACHE": str(root / "go" / "build"),
        "GOBIN": str(root / "go" / "bin"),
        "GOFLAGS": "-modcacherw",
        "CGO_ENABLED": "1",
    }
    headers = root / "headers"
    _collect_headers(go, headers, environment)
    environment["CGO_CPPFLAGS"] = f"-I{headers}"
    if level != "baseline":
        environment["CGO_CFLAGS"] = environment["CGO_CXXFLAGS"] = f"-O3 -march={level}"
    say(f"building Ollama {VERSION}, once (about 8 minutes of CPU)")
    named = f"-s -w -X github.com/ollama/ollama/version.Version={VERSION}"
    command = ["nice", "-n", "10", go, "install", "-ldflags", named]
    command.append(f"github.com/ollama/ollama@v{VERSION}")
    run(command, root / "build.log", tries=3, environment=environment)
    _program().parent.mkdir(exist_ok=True)
    (root / "go" / "bin" / "ollama").rename(_program())
    for leftover in ("go", "headers", "debian"):  # 0.9 GB of sources and objects
        shutil.rmtree(root / leftover, ignore_errors=True)


def _check_tools() -> str:
    go = require("go", f"install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer, {INSTEAD}")
    for tool in ("gcc", "g++"):
        require(tool, f"install a C++ compiler (apt-get install g++), {INSTEAD}")
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True)
    version = re.match(r"go(\d+)\.(\d+)", said.stdout)
    if version and (int(version[1]), int(version[2])) < OLDEST_GO:
        raise ServiceError(f"{said.stdout.strip()} is too old: install Go 1.24 or newer, {INSTEAD}")
    return go


def _collect_headers(go: str, headers: Path, environment: dict[str, str]) -> None:
    """Gather the header-only libraries that a Go module leaves out: its vendor folders."""
    shutil.rmtree(headers, ignore_errors=True)
    headers.mkdir(parents=True)
    include = _debian_headers()
    shutil.copytree(include / "nlohmann", headers / "nlohmann")
    (headers / "stb").mkdir()
    shutil.copy(include / "stb" / "stb_image.h", headers / "stb")
    log = headers.parent / "headers.log"
    run([go, "mod", "download", "-json", MINIAUDIO], log, tries=3, environment=environment)
    # JSON, among which messages of go itself may stand
    found = re.search(r'"Dir": "(.+?)"', log.read_text())
    if found is None:
        raise ServiceError(f"go did not say where {MINIAUDIO} lies, see {log}")
    (headers / "miniaudio").mkdir()
    shutil.copy(Path(found[1]) / "miniaudio.h", headers / "miniaudio")


def _debian_headers() -> Path:
    """Return an include folder with nlohmann and stb, the system's or unpacked packages."""
    installed = Path("/usr/include")
    if (installed / "nlohmann").exists() and (installed / "stb" / "stb_image.h").exists():
        return installed
    cure = f"install nlohmann-json3-dev and libstb-dev, or what they hold, {INSTEAD}"
    apt = require("apt-get", cure)
    dpkg = require("dpkg", cure)
    folder = _root() / "debian"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = _root() / "debian.log"
    download = [apt, "download", "-q", "nlohmann-json3-dev", "libstb-dev"]
    try:
        run(download, log, cwd=folder)
    except ServiceError:  # a fresh machine has no package lists yet
        if os.geteuid() != 0:
            raise
        run([apt, "update", "-q"], log, tries=3)
        run(download, log, tries=3, cwd=folder)
    for package in folder.glob("*.deb"):
        run([dpkg, "-x", package, folder / "unpacked"], log)
    return folder / "unpacked" / "usr" / "include"


def _install_model_writer() -> None:
    """Make a Python of its own for `gguf`, which the project itself has no use for."""
    folder = _python().parent.parent
    shutil.rmtree(folder, ignore_errors=True)
    python = require("python3", "install Python 3.11 or newer")
    run([python, "-m", "venv", folder], _root() / "python.log")
    run([_python(), "-m", "pip", "install", "-q", "gguf==0.19.0"], _root() / "python.log", tries=3)
    (folder / "ready").touch()


def _environment(home: Path, address: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OLLAMA_HOST": address,
        "OLLAMA_MODELS": str(_store()),
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_NOPRUNE": "1",  # another server may be writing to the same store
        "GIN_MODE": "release",
    }


def _store() -> Path:
    """Return the folder of the models; another way to write them is another folder."""
    sources = [path.read_bytes() for path in sorted(SCRIPTS.glob("*.py"))]
    recipe = [*sources, CHAT_TEMPLATE.encode(), repr(MODELS).encode()]
    return _root() / f"models-{hashlib.sha256(b''.join(recipe)).hexdigest()[:12]}"


def launch(home: Path, port: int) -> None:
    """Start a server that outlives this process, with its pid and log in its home."""
    script = 'nice -n 10 "$0" serve > log 2>&1 < /dev/null & echo $! > pid'
    subprocess.run(
        ["sh", "-c", script, _program()],
        cwd=home,
        env=_environment(home, f"127.0.0.1:{port}"),
        start_new_session=True,  # Ctrl-C must not reach the server of another run
        check=True,
    )


def is_ready(url: str) -> bool:
    """Tell whether the server answers."""
    try:
        return request(f"{url}/api/version", timeout_s=5.0)["version"] == VERSION
    except (OSError, ValueError):
        return False


def create_models(url: str, home: Path) -> None:
    """Give the server its models; a store that has them is left alone.

    Raises: ServiceError when a model cannot be written.
    """
    with locked(_root() / "models.lock"):
        there = {model["name"] for model in request(f"{url}/api/tags")["models"]}
        for model in MODELS:
            if not {model.name, f"{model.name}:latest"} & there:
                create_model(model, url, home)


def create_model(model: Model, url: str, home: Path) -> None:
    """Write one model and hand it to the server.

    Raises: ServiceError when it cannot be written.
    """
    weights, recipe, log = home / "model.gguf", home / "Modelfile", home / "create.log"
    run([_python(), SCRIPTS / model.script, weights, *model.options], log)
    threads = f"PARAMETER num_thread {model.threads}\n"
    recipe.write_text(f"FROM {weights}\n{threads}{CHAT_TEMPLATE if model.chats else ''}")
    environment = _environment(home, url.removeprefix("http://"))
    run([_program(), "create", model.name, "-f", recipe], log, environment=environment)
    weights.unlink()


OLLAMA = Service(
    name="ollama",
    variable="OLLAMA_URL",
    version=VERSION,
    ports=range(21434, 21534),
    boot_limit_s=60.0,
    prepare=prepare,
    launch=launch,
    is_ready=is_ready,
    complete=create_models,
)

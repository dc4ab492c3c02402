"""The SDK's own client over both transports, against the program as it is started."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from rag.config.settings import Settings
from tests.commands import CLI
from tests.scripted import wait_until
from tests.server.running import index_pages

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "essai", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}
Use = Callable[[Client], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("mcp") / "data"
    data_dir.mkdir()
    index_pages(data_dir)
    return data_dir


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "HELP_DATA_DIR": str(data_dir), "HELP_DEGRADED_MODE": "true", **more}


def over_stdio(data_dir: Path, use: Use) -> None:
    parameters = StdioServerParameters(
        command=CLI[0], args=[*CLI[1:], "mcp"], env=environment(data_dir), cwd=data_dir.parent
    )

    async def talk() -> None:
        async with Client(parameters, read_timeout_seconds=120) as client:
            await use(client)

    asyncio.run(talk())


@contextmanager
def started(data_dir: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = data_dir.parent / f"mcp-{os.urandom(4).hex()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*CLI, "mcp", "--http", *arguments],
            env=environment(data_dir),
            cwd=data_dir.parent,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, log
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def address(process: subprocess.Popen[bytes], log: Path) -> str:
    def told() -> re.Match[str] | None:
        return re.search(r"http://\S+", log.read_text())

    assert wait_until(lambda: told() or process.poll() is not None, 120)
    found = told()
    assert found, log.read_text()
    return found[0]


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with started(folder, "--port", "0") as (process, log):
        yield address(process, log)


def over_http(url: str, use: Use) -> None:
    async def talk() -> None:
        async with Client(url, read_timeout_seconds=120) as client:
            await use(client)

    asyncio.run(talk())


@pytest.fixture(params=["stdio", "http"])
def client_uses(request: pytest.FixtureRequest, folder: Path) -> Callable[[Use], None]:
    if request.param == "stdio":
        return lambda use: over_stdio(folder, use)
    address_of = request.getfixturevalue("url")
    return lambda use: over_http(address_of, use)


def test_both_tools_answer_with_typed_results(client_uses):
    async def use(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools.keys() == {"search_help", "ask_help"}
        assert all(
            tool.output_schema and tool.annotations.read_only_hint for tool in tools.values()
        )
        found = await client.call_tool("search_help", {"query": "créer un client", "k": 2})
        passages = found.structured_content["passages"]
        assert passages[0]["page"] == "clients/creer.md" and len(passages) <= 2
        asked = {"question": "Comment créer un client ?", "page": "/clients/"}
        answer = (await client.call_tool("ask_help", asked)).structured_content
        assert answer["answered"] and answer["page"] == "clients/creer.md"
        assert answer["degraded"] and answer["lang"] == "fr" and answer["sources"]
        assert "Nouveau client" in answer["text"]
        nothing = await client.call_tool("ask_help", {"question": "Quel temps fait-il à Tokyo ?"})
        assert nothing.structured_content["answered"] is False
        for wrong in ({"query": "client", "k": 99}, {"query": ""}, {}):
            assert (await client.call_tool("search_help", wrong)).is_error
        assert (await client.call_tool("ask_help", asked)).structured_content["answered"]

    client_uses(use)


def test_what_is_wrong_is_told_with_its_cure(tmp_path):
    async def use(client: Client) -> None:
        for tool, asked in (
            ("search_help", {"query": "client"}),
            ("ask_help", {"question": "Qui ?"}),
        ):
            said = await client.call_tool(tool, asked)
            assert said.is_error and "cli.py index" in said.content[0].text
            assert "Traceback" not in said.content[0].text

    data_dir = tmp_path / "data"
    data_dir.mkdir()
    over_stdio(data_dir, use)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"Host": "ailleurs.example"}, 421),
        ({"Origin": "https://ailleurs.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
    ],
    ids=["rebound host", "foreign page", "page of this machine"],
)
def test_pages_of_other_sites_are_sent_away(url, header, status):
    answer = httpx.post(url, json=INITIALIZE, headers={**ACCEPT, **header}, timeout=60)
    assert answer.status_code == status


def test_standard_output_carries_the_protocol_alone(folder):
    done = subprocess.run(
        [*CLI, "mcp"],
        input=b'not json\n{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n',
        env=environment(folder),
        cwd=folder.parent,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(b'{"jsonrpc"') for line in done.stdout.splitlines())
    assert b"Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(folder, url):
    port = url.split(":")[2].split("/")[0]
    with started(folder, "--port", port) as (process, log):
        assert process.wait(120) == 2
        assert "--port" in log.read_text() and "Traceback" not in log.read_text()


def test_a_signal_ends_it(folder):
    with started(folder, "--port", "0") as (process, log):
        address(process, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130, -signal.SIGINT)
        assert "Traceback" not in log.read_text()


def test_a_missing_package_is_told_with_the_command_that_installs_it(folder):
    script = (
        "import importlib.util, sys\n"
        "sys.argv = ['cli.py', 'mcp']\n"
        "sys.modules['mcp'] = None\n"  # as Python itself marks what cannot be imported
        "from souffleur import cli; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(CLI[1]).parent,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install" in done.stderr and "[mcp]" in done.stderr


def test_what_programs_ask_is_in_the_journal(folder, url):
    from datetime import UTC, datetime

    from rag.stores import open_journal_store

    async def use(client: Client) -> None:
        await client.call_tool("ask_help", {"question": "Comment fusionner deux fiches ?"})

    over_http(url, use)
    store = open_journal_store(Settings(data_dir=folder, _env_file=None))
    ever = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
    assert wait_until(lambda: any(o.channel == "mcp" for o in store.asked(*ever, 10.0)), 30)

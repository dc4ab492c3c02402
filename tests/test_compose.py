"""What docker-compose.yml promises, and that each check would notice a broken promise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from rag.config.settings import Settings
from tests.services import ELASTICSEARCH, OLLAMA

Compose = dict[str, Any]
COMPOSE = yaml.safe_load((Path(__file__).parent.parent / "docker-compose.yml").read_text())
SERVERS = {
    "elasticsearch": f"elasticsearch:{ELASTICSEARCH.version}",
    "ollama": f"ollama/ollama:{OLLAMA.version}",
}
PULL = "ollama-pull"


def published_beyond_loopback(compose: Compose) -> Iterable[str]:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: {port}"


def not_published(compose: Compose) -> Iterable[str]:
    for name, port in (("elasticsearch", 9200), ("ollama", 11434)):
        if f"127.0.0.1:{port}:{port}" not in compose["services"][name].get("ports", []):
            yield f"{name} is not at its default port {port}"


def unpinned_images(compose: Compose) -> Iterable[str]:
    for name, service in compose["services"].items():
        if not re.fullmatch(r"[a-z/.]+:\d+\.\d+\.\d+", service.get("image", "")):
            yield f"{name}: {service.get('image')}"


def images_that_no_test_ran(compose: Compose) -> Iterable[str]:
    for name, image in [*SERVERS.items(), (PULL, SERVERS["ollama"])]:
        if compose["services"][name].get("image") != image:
            yield f"{name}: {image} was tested"


def without_health_check(compose: Compose) -> Iterable[str]:
    for name in SERVERS:
        check = compose["services"][name].get("healthcheck", {})
        if not check.get("test") or not check.get("retries") or check.get("disable"):
            yield name
        if name == "ollama" and "curl" in str(check):
            yield "ollama's image has no curl"


def volumes_that_do_not_match(compose: Compose) -> Iterable[str]:
    used = {}
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            used[str(volume).partition(":")[0]] = name
    declared = set(compose.get("volumes", {}))
    yield from (f"declared, not used: {name}" for name in declared - set(used))
    yield from (f"used, not declared: {name}" for name in set(used) - declared)
    yield from (f"forgets its data: {name}" for name in set(SERVERS) - set(used.values()))


def pull_of_another_model(compose: Compose) -> Iterable[str]:
    pull = compose["services"][PULL]
    if pull.get("depends_on") != {"ollama": {"condition": "service_healthy"}}:
        yield "does not wait for a healthy ollama"
    if pull.get("environment", {}).get("OLLAMA_HOST") != "http://ollama:11434":
        yield "does not ask the ollama service"
    command = [*pull.get("entrypoint", []), *pull.get("command", [])]
    default = Settings.model_fields["model"].default
    if command != ["ollama", "pull", f"${{HELP_MODEL:-{default}}}"]:
        yield f"runs {command}"
    if pull.get("restart") != "no":
        yield "pulls for ever"


def elasticsearch_that_may_not_boot(compose: Compose) -> Iterable[str]:
    service = compose["services"]["elasticsearch"]
    environment = service.get("environment", {})
    if environment.get("discovery.type") != "single-node":
        yield "waits for other nodes"
    if environment.get("xpack.security.enabled") != "false":
        yield "asks for a password"
    heap = re.search(r"-Xmx(\d+)g", environment.get("ES_JAVA_OPTS", ""))
    limit = re.fullmatch(r"(\d+)g", str(service.get("mem_limit")))
    if not heap or not limit or 2 * int(heap[1]) > int(limit[1]):
        yield "needs a heap of at most half its memory"


Check = Callable[[Compose], Iterable[str]]
CHECKS: tuple[Check, ...] = (
    published_beyond_loopback,
    not_published,
    unpinned_images,
    images_that_no_test_ran,
    without_health_check,
    volumes_that_do_not_match,
    pull_of_another_model,
    elasticsearch_that_may_not_boot,
)


@pytest.mark.parametrize("check", CHECKS)
def test_compose_has_no(check: Check) -> None:
    assert list(check(COMPOSE)) == []


# check, path to what is changed, its new value (None: removed)
BREAKS = (
    (published_beyond_loopback, "services elasticsearch ports", ["9200:9200"]),
    (published_beyond_loopback, "services ollama ports", ["0.0.0.0:11434:11434"]),
    (published_beyond_loopback, "services ollama-pull ports", [{"published": 1, "target": 1}]),
    (not_published, "services elasticsearch ports", None),
    (not_published, "services ollama ports", ["127.0.0.1:9:11434"]),
    (unpinned_images, "services elasticsearch image", "elasticsearch:latest"),
    (unpinned_images, "services ollama image", "ollama/ollama"),
    (unpinned_images, "services ollama-pull image", "ollama/ollama:0.17"),
    (images_that_no_test_ran, "services elasticsearch image", "elasticsearch:9.0.0"),
    (images_that_no_test_ran, "services ollama-pull image", "ollama/ollama:0.1.0"),
    (without_health_check, "services elasticsearch healthcheck", None),
    (without_health_check, "services ollama healthcheck", None),
    (without_health_check, "services ollama healthcheck disable", True),
    (without_health_check, "services ollama healthcheck test", ["CMD", "curl", "-f", "url"]),
    (volumes_that_do_not_match, "services ollama volumes", None),
    (volumes_that_do_not_match, "services ollama volumes", ["other:/root/.ollama"]),
    (volumes_that_do_not_match, "volumes third", {}),
    (volumes_that_do_not_match, "volumes elasticsearch-data", None),
    (pull_of_another_model, "services ollama-pull depends_on", ["ollama"]),
    (pull_of_another_model, "services ollama-pull command", ["phi3:mini"]),
    (pull_of_another_model, "services ollama-pull command", ["${HELP_MODEL:-llama3}"]),
    (pull_of_another_model, "services ollama-pull environment", None),
    (pull_of_another_model, "services ollama-pull restart", "always"),
    (elasticsearch_that_may_not_boot, "services elasticsearch environment discovery.type", None),
    (
        elasticsearch_that_may_not_boot,
        "services elasticsearch environment xpack.security.enabled",
        "true",
    ),
    (elasticsearch_that_may_not_boot, "services elasticsearch mem_limit", "1g"),
)


@pytest.mark.parametrize(("check", "path", "value"), BREAKS)
def test_a_broken_copy_is_noticed(check: Check, path: str, value: object) -> None:
    broken = deepcopy(COMPOSE)
    *parents, name = path.split(" ")
    place = broken
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[name]
    else:
        place[name] = value
    assert list(check(broken)) != []

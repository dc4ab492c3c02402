"""python -m tests.services {prepare,start,stop,status,sweep,shaped} [elasticsearch] [ollama]

prepare  fetch and build what is missing, start nothing; without a name also the tests' browser
start    start both, or reuse them, until stop; prints NAME=URL lines for `export $(…)`
stop     end them, or let the test runs that use them do so
status   one line for each that runs; exit code 3 if one does not
sweep    end what a killed test run left behind
shaped   add phi3:shaped to the running Ollama: random weights, the cost of phi3:mini (2.15 GB)

A service whose URL is in the environment (ELASTICSEARCH_URL, OLLAMA_URL) is used as it is.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.services import SERVICES, ServiceError, chromium, lifecycle
from tests.services.lifecycle import Service
from tests.services.ollama import OLLAMA, SHAPED_MODEL, create_model


def _given(service: Service) -> str:
    return os.environ.get(service.variable, "")


def _prepare(services: list[Service]) -> int:
    for service in services:
        if not _given(service):
            service.prepare()
    if len(services) == len(SERVICES):
        chromium.prepare()
    return 0


def _start(services: list[Service]) -> int:
    for service in services:
        url = _given(service) or lifecycle.start(service)
        print(f"{service.variable}={url}", flush=True)
    return 0


def _stop(services: list[Service]) -> int:
    for service in services:
        lifecycle.stop(service)
    return 0


def _sweep(services: list[Service]) -> int:
    for service in services:
        lifecycle.sweep(service)
    return 0


def _status(services: list[Service]) -> int:
    lines = [(service, lifecycle.status(service)) for service in services]
    for service, line in lines:
        print(line or f"{service.name} {service.version}: not running")
    return 0 if all(line for _, line in lines) else 3


def _shaped(_services: list[Service]) -> int:
    with lifecycle.running(OLLAMA) as node:
        create_model(SHAPED_MODEL, node.url, node.home)
    return 0


COMMANDS = {
    "prepare": _prepare,
    "start": _start,
    "stop": _stop,
    "status": _status,
    "sweep": _sweep,
    "shaped": _shaped,
}


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.services",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=argparse.SUPPRESS,
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("services", nargs="*")
    arguments = parser.parse_args()
    by_name = {service.name: service for service in SERVICES}
    unknown = set(arguments.services) - set(by_name)
    if unknown:
        parser.error(f"unknown service {', '.join(sorted(unknown))}: {', '.join(by_name)}")
    chosen = [by_name[name] for name in arguments.services or by_name]
    try:
        return COMMANDS[arguments.command](chosen)
    except ServiceError as error:
        print(f"tests.services: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

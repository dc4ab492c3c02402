"""The running server against its own OpenAPI document: requests right and wrong, made at random."""

from __future__ import annotations

import hypothesis
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server.doors import open_server
from tests.server.raw import ask

__all__ = ["open_server"]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# what answers 503 by design when a dependency is away
HEALTH = ("/readyz",)
EXAMPLES = 12


def test_every_route_keeps_to_the_document(open_server):
    document = schemathesis.openapi.from_url(f"{open_server.url}/openapi.json")
    for found in document.get_all_operations():
        keeps_to_the_document(found.ok())
    assert ask(open_server.url, "/v1/models").status == 200


def keeps_to_the_document(operation) -> None:
    checks = CHECKS[1:] if operation.path in HEALTH else CHECKS

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy())
    def validated(case):
        case.call_and_validate(checks=checks, timeout=60)

    validated()


def test_document_names_every_way_in(open_server):
    document = ask(open_server.url, "/openapi.json").json
    assert {
        "/api/help/query",
        "/api/help/stream",
        "/api/help/feedback",
        "/v1/chat/completions",
        "/v1/models",
        "/api/admin/cache",
    } <= set(document["paths"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            (media,) = operation["responses"]["default"]["content"]
            openai = path.startswith("/v1/")
            assert media == f"application/{'json' if openai else 'problem+json'}"

"""How the settings become a connection to Elasticsearch, and which of them do not go together."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from rag.config.settings import Settings
from rag.core.documents import IndexMeta, check_meta
from rag.core.errors import ConfigError, IndexMismatch
from rag.stores.elasticsearch.client import Server, make_client

URL = "https://aide.example:9243/search"
CLOUD_ID = "aide:" + base64.b64encode(b"cloud.example$abc$def").decode()


def headers(**values: object) -> dict[str, str]:
    client = make_client(Settings(elasticsearch_url=URL, _env_file=None, **values))
    return dict(client._headers)


def test_an_api_key_is_sent() -> None:
    assert headers(elasticsearch_api_key="c2VjcmV0")["authorization"] == "ApiKey c2VjcmV0"


def test_a_name_and_password_are_sent() -> None:
    sent = headers(elasticsearch_username="aide", elasticsearch_password="été")
    assert sent["authorization"] == "Basic " + base64.b64encode("aide:été".encode()).decode()


def test_a_name_and_password_in_the_address_are_used_and_never_shown() -> None:
    server = Server(Settings(elasticsearch_url="http://aide:secret@localhost:9200", _env_file=None))
    assert server.where == "http://localhost:9200"
    assert "secret" not in str(server.explain(503, {"error": "busy"}))


def test_the_certificate_is_checked_unless_told_otherwise(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.touch()
    for values, expected in (
        ({}, (True, None)),
        ({"elasticsearch_ca_certs": authority}, (True, str(authority))),
        ({"elasticsearch_verify_certs": False}, (False, None)),
    ):
        client = make_client(Settings(elasticsearch_url=URL, _env_file=None, **values))
        (node,) = client.transport.node_pool.all()
        assert (node.config.verify_certs, node.config.ca_certs) == expected
        assert node.config.path_prefix == "/search"


def test_a_cloud_id_names_the_server() -> None:
    server = Server(Settings(elasticsearch_cloud_id=CLOUD_ID, _env_file=None))
    assert server.where == "Elastic Cloud aide"
    (node,) = server._client.transport.node_pool.all()
    assert node.base_url == "https://abc.cloud.example:443"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"elasticsearch_url": URL, "elasticsearch_cloud_id": CLOUD_ID}, "ELASTICSEARCH_CLOUD_ID"),
        ({"elasticsearch_url": "localhost"}, "http://127.0.0.1:9200"),
        ({"elasticsearch_url": "http://[oops"}, "ELASTICSEARCH_URL"),
        ({"elasticsearch_cloud_id": "nonsense"}, "ELASTICSEARCH_CLOUD_ID"),
        ({"elasticsearch_url": URL, "elasticsearch_username": "aide"}, "ELASTICSEARCH_PASSWORD"),
        ({"elasticsearch_url": URL, "elasticsearch_password": "x"}, "ELASTICSEARCH_USERNAME"),
        (
            {
                "elasticsearch_url": URL,
                "elasticsearch_api_key": "hidden",
                "elasticsearch_username": "aide",
                "elasticsearch_password": "hidden",
            },
            "ELASTICSEARCH_API_KEY",
        ),
        ({"elasticsearch_url": URL, "elasticsearch_ca_certs": "/nowhere/ca.crt"}, "/nowhere"),
    ],
)
def test_settings_that_do_not_go_together_are_named(values: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Server(Settings(_env_file=None, **values))
    assert named in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_a_mismatch_names_both_encoders_and_the_command() -> None:
    found = IndexMeta("ada", 1_536, 1)
    check_meta(found, found)
    with pytest.raises(IndexMismatch) as refused:
        check_meta(found, IndexMeta("souffleur", 768, 1))
    for part in ("ada (1536 dim", "souffleur (768 dim", "python cli.py index --full corpus/"):
        assert part in str(refused.value)
    with pytest.raises(IndexMismatch, match=r"schema 1 .* schema 2"):
        check_meta(found, IndexMeta("ada", 1_536, 2))

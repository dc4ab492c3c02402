"""The connection to Elasticsearch: client from the settings, its errors in Souffleur's words."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from elastic_transport import Transport, TransportApiResponse
from elasticsearch import (
    ApiError,
    Elasticsearch,
    OrjsonSerializer,
    TransportError,
    UnsupportedProductError,
)
from elasticsearch import ConnectionTimeout as Timeout

from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.errors import ConfigError, HelpError, IndexMismatch, IndexMissing, SearchUnavailable
from rag.core.invocation import index_command, rebuild_command

METADATA_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 60.0
START = "Start it (docker compose up -d elasticsearch), correct ELASTICSEARCH_URL, or unset it"
NO_SUCH_ADDRESS = (404, 405)


class _Transport(Transport):
    """Refuse what a server of another kind does not know: the client looks at successes only."""

    def perform_request(self, *args: Any, **options: Any) -> TransportApiResponse:
        answer = super().perform_request(*args, **options)
        product = answer.meta.headers.get("x-elastic-product")
        if answer.meta.status in NO_SUCH_ADDRESS and product != "Elasticsearch":
            raise UnsupportedProductError("another product", meta=answer.meta, body=answer.body)
        return answer


class Server:
    """Hold one client, safe to share between threads, and the alias that it serves."""

    def __init__(self, settings: Settings) -> None:
        self.alias = settings.elasticsearch_index
        self.where = _where(settings)
        self._client = make_client(settings)

    @contextmanager
    def ask(self, timeout_s: float) -> Iterator[Elasticsearch]:
        """Lend the client for one request that may take ``timeout_s``; it is never retried.

        Raises: SearchUnavailable, IndexMissing, IndexMismatch, ConfigError, HelpError, by cause.
        """
        if timeout_s <= 0:
            raise SearchUnavailable(f"No time was left to ask Elasticsearch at {self.where}.")
        try:
            yield self._client.options(request_timeout=timeout_s)
        except Timeout as error:
            raise SearchUnavailable(
                f"Elasticsearch at {self.where} did not answer within {timeout_s:.2g} s. "
                "If it stays slow, look at its load and its log."
            ) from error
        except UnsupportedProductError as error:
            raise SearchUnavailable(
                f"What answers at {self.where} is no Elasticsearch. Correct ELASTICSEARCH_URL, or"
                " unset it to use the embedded index."
            ) from error
        except ApiError as error:
            raise self.explain(error.status_code, error.body) from error
        except TransportError as error:
            raise SearchUnavailable(
                f"Elasticsearch at {self.where} cannot be reached ({type(error).__name__}). {START}"
                " to use the embedded index."
            ) from error

    def make_behind(
        self, alias: str, version: str, body: Mapping[str, Any], deadline: Deadline
    ) -> None:
        """Make an index, with ``body``'s settings and mappings, behind an alias that names none."""
        with self.ask(deadline.left_s()) as client:
            there = client.indices.exists_alias(name=alias)
        if there:
            return
        with self.ask(deadline.left_s()) as client:
            # 400: another process or server was faster
            client.options(ignore_status=400).indices.create(
                index=f"{alias}-{version}", aliases={alias: {}}, **body
            )

    def explain(self, status: int, body: object) -> HelpError:
        """Return the error that a refusal means; ``body`` is the server's answer."""
        fault = body.get("error", body) if isinstance(body, Mapping) else body
        said, everything, where = _reason(fault), str(fault), f"Elasticsearch at {self.where}"
        error: HelpError
        if is_disk_full(everything):
            error = HelpError(
                f"The disk of {where} is nearly full: it refuses writes until there is space; "
                f"searches go on. Free disk space there, then run: {index_command()}"
            )
        elif status in (401, 403):
            error = ConfigError(
                f"{where} refused the credentials ({status}). Correct ELASTICSEARCH_API_KEY, or "
                "ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD, and what they may do."
            )
        elif "index_not_found" in everything:
            error = IndexMissing(
                f"Nothing is indexed under {self.alias!r} in {where}. Index your pages:"
                f" {index_command()}"
            )
        elif status == 400 and "different number of dimensions" in everything:
            error = IndexMismatch(f"{said} Rebuild the index: {rebuild_command()}")
        elif "media_type_header" in everything:
            error = ConfigError(f"{where} is too old: 9.0 or later is needed.")
        elif status == 429 or status >= 500:
            error = SearchUnavailable(
                f"{where} cannot answer now ({status}: {said}). Look at its state: "
                f"GET {self.where}/_cluster/health"
            )
        else:
            error = HelpError(f"{where} refused a request ({status}: {said})")
        return error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def make_client(settings: Settings) -> Elasticsearch:
    """Make a client that never retries by itself. Raises: ConfigError naming the setting."""
    if settings.elasticsearch_url and settings.elasticsearch_cloud_id:
        raise ConfigError("Set ELASTICSEARCH_URL or ELASTICSEARCH_CLOUD_ID, not both.")
    options: dict[str, Any] = {
        "serializer": OrjsonSerializer(),
        "transport_class": _Transport,
        "max_retries": 0,
        "retry_on_timeout": False,
        "request_timeout": METADATA_TIMEOUT_S,
        **_credentials(settings),
        **_encryption(settings),
    }
    try:
        if settings.elasticsearch_cloud_id:
            return Elasticsearch(cloud_id=settings.elasticsearch_cloud_id, **options)
        return Elasticsearch(settings.elasticsearch_url, **options)
    except ValueError:
        raise ConfigError(
            f"ELASTICSEARCH_URL or ELASTICSEARCH_CLOUD_ID cannot be read ({_where(settings)}). "
            "An address looks like http://127.0.0.1:9200."
        ) from None


def is_disk_full(fault: str) -> bool:
    """Say whether a refusal comes from the disk's flood-stage watermark."""
    return "flood-stage" in fault or "read-only-allow-delete" in fault


def _credentials(settings: Settings) -> dict[str, Any]:
    name, password = settings.elasticsearch_username, settings.elasticsearch_password
    if settings.elasticsearch_api_key and (name or password):
        raise ConfigError(
            "Set ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD, "
            "not both."
        )
    if settings.elasticsearch_api_key:
        return {"api_key": settings.elasticsearch_api_key.get_secret_value()}
    if (name is None) != (password is None):
        raise ConfigError(
            "ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD go together: set both."
        )
    if name is not None and password is not None:
        # encoded here: the client refuses letters outside ASCII
        pair = f"{name}:{password.get_secret_value()}"
        return {"basic_auth": base64.b64encode(pair.encode()).decode()}
    return {}


def _encryption(settings: Settings) -> dict[str, Any]:
    url = settings.elasticsearch_url or ""
    if not (settings.elasticsearch_cloud_id or url.startswith("https:")):
        return {}
    options: dict[str, Any] = {"verify_certs": settings.elasticsearch_verify_certs}
    if not settings.elasticsearch_verify_certs:
        return {**options, "ssl_show_warn": False}
    if settings.elasticsearch_ca_certs is not None:
        if not settings.elasticsearch_ca_certs.is_file():
            raise ConfigError(
                f"ELASTICSEARCH_CA_CERTS: there is no file {settings.elasticsearch_ca_certs}."
            )
        options["ca_certs"] = str(settings.elasticsearch_ca_certs)
    return options


def _where(settings: Settings) -> str:
    """Return the address without the name and password that it may carry."""
    if settings.elasticsearch_cloud_id:
        return f"Elastic Cloud {settings.elasticsearch_cloud_id.partition(':')[0]}"
    try:
        parts = urlsplit(settings.elasticsearch_url or "")
    except ValueError as error:
        raise ConfigError(f"ELASTICSEARCH_URL is not an address: {error}.") from None
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _reason(fault: object) -> str:
    if not isinstance(fault, Mapping):
        return str(fault)[:300]
    causes = fault.get("root_cause") or [fault]
    return f"{causes[0].get('type')}: {causes[0].get('reason')}"[:500]

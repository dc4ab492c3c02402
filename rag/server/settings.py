"""What the server lets in: addresses, origins, keys and limits, from the environment and `.env`."""

from __future__ import annotations

import ipaddress
import re

from pydantic import AliasChoices, Field, SecretStr, field_validator

from rag.config.settings import OperatorSettings, read_settings

MOST_BODY_BYTES = 64 * 1024  # of a request; a question has at most some thousand characters
MOST_CHAT_BYTES = 512 * 1024  # of one that brings a whole conversation along
MOST_FRAME_BYTES = 64 * 1024  # of a WebSocket message
BODY_S = 5.0  # a body that is not there by then is not waited for
DEEPEST_JSON = 32
SHORTEST_KEY = 16  # characters
NO_LIMIT = "none"
# as browsers write it: lower case, no path, no user, no dot at the end
ORIGIN = re.compile(
    r"(https?)://((?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)
DEFAULT_PORTS = {"http": "80", "https": "443"}
NEW_KEY = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'


class ServerSettings(OperatorSettings):
    """Hold every setting of the server's doors; quantities carry their unit in the description."""

    host: str = Field(
        "127.0.0.1",
        validation_alias=AliasChoices("HELP_HOST"),
        description="Address that `serve` listens on; by default this machine alone",
    )
    port: int = Field(
        8000,
        ge=0,
        le=65_535,
        validation_alias=AliasChoices("HELP_PORT"),
        description="Port that `serve` listens on; 0: any that is free",
    )
    allowed_origins: str = Field(
        "",
        validation_alias=AliasChoices("HELP_ALLOWED_ORIGINS"),
        description="Origins whose pages may ask, exactly as browsers write them, separated by"
        " commas (`https://www.example.fr`); unset: only pages of the server's own origin",
    )
    allow_no_origin: bool = Field(
        False,
        validation_alias=AliasChoices("HELP_ALLOW_NO_ORIGIN"),
        description="Whether a WebSocket may be opened without an Origin, by programs that are no"
        " browsers",
    )
    api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("HELP_API_KEY"),
        description="Key that callers must send (`Authorization: Bearer`), or a token made with"
        " it; unset: anybody may ask",
    )
    admin_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("HELP_ADMIN_KEY"),
        description="Key of metrics, cache and feedback over HTTP; unset: they are closed",
    )
    token_secret: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("HELP_TOKEN_SECRET"),
        description="What the widget's tokens are signed with; unset: `HELP_API_KEY`",
    )
    token_max_age_s: int = Field(
        28_800,
        ge=10,
        le=864_000,
        validation_alias=AliasChoices("HELP_TOKEN_MAX_AGE"),
        description="How long a token of the widget is good, in seconds",
    )
    rate_limit: str = Field(
        "60/minute",
        validation_alias=AliasChoices("HELP_RATE_LIMIT"),
        description="Questions of one client address (IPv6: of its /64), as `60/minute` or"
        " `60/minute;500/hour`; `none`: no limit. Each process counts for itself",
    )
    max_connections: int = Field(
        1_000,
        ge=1,
        le=100_000,
        validation_alias=AliasChoices("HELP_MAX_CONNECTIONS"),
        description="WebSockets open at once in one process",
    )
    max_connections_per_client: int = Field(
        50,
        ge=1,
        le=100_000,
        validation_alias=AliasChoices("HELP_MAX_CONNECTIONS_PER_CLIENT"),
        description="WebSockets open at once from one client address in one process",
    )
    trusted_proxies: str = Field(
        "127.0.0.1",
        validation_alias=AliasChoices("HELP_TRUSTED_PROXIES"),
        description="Addresses and networks of proxies whose `X-Forwarded-For` and"
        " `X-Forwarded-Proto` are believed, separated by commas",
    )

    @field_validator("allowed_origins")
    @classmethod
    def _origins_are_exact(cls, text: str) -> str:
        for origin in parts(text):
            found = ORIGIN.fullmatch(origin)
            if not found or DEFAULT_PORTS[found[1]] == found[3]:
                raise ValueError(
                    f"{origin!r} is no origin as browsers write it: lower case, scheme and host,"
                    " no path, no default port, for example https://www.example.fr"
                )
        return text

    @field_validator("api_key", "admin_key", "token_secret")
    @classmethod
    def _key_is_strong(cls, key: SecretStr | None) -> SecretStr | None:
        said = key.get_secret_value() if key else None
        if said is None or re.fullmatch(rf"[!-~]{{{SHORTEST_KEY},}}", said):
            return key
        raise ValueError(
            f"a key has at least {SHORTEST_KEY} ASCII characters without spaces; make one with"
            f" {NEW_KEY}"
        )

    @field_validator("rate_limit")
    @classmethod
    def _rate_is_readable(cls, text: str) -> str:
        from limits import parse_many

        if text.strip().lower() == NO_LIMIT:
            return NO_LIMIT
        try:
            limits = parse_many(text)
        except ValueError:
            limits = []
        if not limits or any(limit.amount < 1 for limit in limits):
            raise ValueError("write it as 60/minute, as 60/minute;500/hour, or none")
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_addresses(cls, text: str) -> str:
        for part in parts(text):
            try:
                ipaddress.ip_network(part, strict=False)
            except ValueError:
                raise ValueError(
                    f"{part!r} is no address or network, as 10.0.0.7 or 10.0.0.0/8"
                ) from None
        return text


def load_server_settings() -> ServerSettings:
    """Read the server's settings. Raises: ConfigError naming the variable that is wrong."""
    return read_settings(ServerSettings, "in the environment or in .env")


def parts(text: str) -> list[str]:
    """Return what a setting lists between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]

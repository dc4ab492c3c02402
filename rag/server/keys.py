"""Where `mint_token` was: sites import it from here. It lives in `rag.server.security`."""

from rag.server.security import mint_token

__all__ = ["mint_token"]

"""Where `load_settings` was: sites import it from here. It lives in `rag.config.settings`."""

from rag.config.settings import Settings, load_settings

__all__ = ["Settings", "load_settings"]

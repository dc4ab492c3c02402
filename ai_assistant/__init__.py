"""Souffleur in a Django site: views, a template tag, the WebSocket, commands and system checks."""

import souffleur  # noqa: F401 (it says which package of the site hides one of Souffleur's)

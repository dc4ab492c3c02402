"""Souffleur in a Django site: views, a template tag, the WebSocket, commands and system checks."""

"""The help desk over HTTP and WebSocket."""

"""Real Elasticsearch and real Ollama for the tests, started without Docker.

export $(python -m tests.services start)    # then any command finds both
python -m tests.services stop
"""

from __future__ import annotations

from tests.services.common import ServiceError, request
from tests.services.elasticsearch import ELASTICSEARCH
from tests.services.lifecycle import Node, Service, running
from tests.services.ollama import OLLAMA

SERVICES = (ELASTICSEARCH, OLLAMA)

# The models of the test server: two sentences, never ends, slow and never ends, 768 dimensions.
CHAT_MODEL = "phi3:mini"
ENDLESS_MODEL = "phi3:bavard"
SLOW_MODEL = "phi3:lent"
EMBEDDING_MODEL = "nomic-embed-text"

__all__ = [
    "CHAT_MODEL",
    "ELASTICSEARCH",
    "EMBEDDING_MODEL",
    "ENDLESS_MODEL",
    "OLLAMA",
    "SERVICES",
    "SLOW_MODEL",
    "Node",
    "Service",
    "ServiceError",
    "request",
    "running",
]

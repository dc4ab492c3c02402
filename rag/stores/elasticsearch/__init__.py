"""The Elasticsearch store: chunks, words and vectors behind an alias. Nothing else imports it."""

from rag.stores.elasticsearch.answers import ElasticsearchAnswers
from rag.stores.elasticsearch.generations import setup
from rag.stores.elasticsearch.logs import ElasticsearchJournal
from rag.stores.elasticsearch.store import ElasticsearchStore

__all__ = ["ElasticsearchAnswers", "ElasticsearchJournal", "ElasticsearchStore", "setup"]

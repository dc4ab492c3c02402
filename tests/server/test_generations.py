"""A server while its index is rebuilt with another encoder, and brought back."""

from __future__ import annotations

from tests.commands import souffleur
from tests.scripted import wait_until
from tests.server.calls import ask
from tests.server.running import Running, serving

SETTLED_S = 15.0


def legs(server: Running) -> list[str]:
    status, answer = ask(server.url)
    assert (status, answer["page_effective"]) == (200, "clients/creer.md"), answer
    return answer["legs"]


def test_a_change_of_encoder_under_a_server_fails_no_question(ollama_url, embedding_model) -> None:
    model = f"ollama:{embedding_model}"
    with serving(AI_CACHE_ENABLED="false", HELP_RATE_LIMIT="none", OLLAMA_URL=ollama_url) as server:
        pages = server.data_dir.parent / f"{server.data_dir.name}-pages"
        assert legs(server) == ["bm25", "knn"]
        own = {"HELP_DATA_DIR": server.data_dir, "AI_EMBEDDING_MODEL": model}
        done = souffleur("index", "--full", pages, **own, OLLAMA_URL=ollama_url)
        assert done.returncode == 0, done.stderr
        assert wait_until(lambda: legs(server) == ["bm25"], SETTLED_S)
        assert "Only words are searched. The index was made with encoder ollama:" in server.log()
        done = souffleur("index", "--rollback", HELP_DATA_DIR=server.data_dir)
        assert done.returncode == 0, done.stderr
        assert wait_until(lambda: legs(server) == ["bm25", "knn"], SETTLED_S)

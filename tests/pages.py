"""Small help pages that tests write, change and delete, and an encoder that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rag.core.documents import Vectors
from rag.core.protocols import Encoder, Store
from rag.encoders import bundled_encoder

PAGES = {
    "clients/creer.md": (
        "# Créer un client\n\nUn client achète du vin.\n\n"
        "## Étapes\n\n1. Ouvrez **Clients**.\n2. Cliquez sur **Nouveau client**.\n\n"
        "## Pièges\n\nDeux clients du même nom se confondent.\n"
    ),
    "clients/fusionner.md": "# Fusionner deux clients\n\nCochez deux fiches, puis Fusionner.\n",
    "stocks/inventaire.md": "# Faire l'inventaire\n\nComptez les bouteilles de chaque casier.\n",
}


def write_pages(folder: Path, pages: Mapping[str, str] = PAGES) -> Path:
    """Write pages under a folder, and return the folder."""
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


class CountingEncoder:
    """Encode with another encoder, and remember how many passages it was given."""

    def __init__(self, encoder: Encoder | None = None, name: str | None = None) -> None:
        self._encoder = encoder or bundled_encoder()
        self._name = name
        self.passages = 0

    @property
    def name(self) -> str:
        return self._name or self._encoder.name

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        self.passages += len(texts)
        return self._encoder.encode_passages(texts)

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        return self._encoder.encode_queries(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count_tokens(texts)


def contents(store: Store) -> dict[str, tuple[str, ...]]:
    """Return what an index holds: the chunk ids of each page."""
    return {page: record.chunk_ids for page, record in store.records().items()}

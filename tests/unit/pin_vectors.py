"""Write what the bundled encoder says of a few texts, after it was trained again:

python -m tests.unit.pin_vectors
"""

import json
from pathlib import Path

from rag.encoders import bundled_encoder

PINNED = Path(__file__).parent / "pinned_vectors.json"
TEXTS = [
    "Comment créer un client ?",
    "L'étiquette de la cuvée d'aujourd’hui",
    "How do I print labels?",
    "DRM n°12-345/AB",
]
NUMBERS = 8


def pins() -> dict:
    """Return the encoder's name, and for each text its tokens and first numbers."""
    encoder = bundled_encoder()
    rows = zip(TEXTS, encoder.count_tokens(TEXTS), encoder.encode_passages(TEXTS), strict=True)
    return {
        "encoder": encoder.name,
        "texts": {
            text: {"tokens": tokens, "vector": [round(float(x), 5) for x in row[:NUMBERS]]}
            for text, tokens, row in rows
        },
    }


if __name__ == "__main__":
    PINNED.write_text(json.dumps(pins(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{PINNED.name}: {pins()['encoder']}")

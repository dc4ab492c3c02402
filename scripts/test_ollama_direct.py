"""Test Ollama without the pages: `python scripts/test_ollama_direct.py`, as `doctor` does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from souffleur.cli import main

if __name__ == "__main__":
    main(["doctor", *sys.argv[1:]])

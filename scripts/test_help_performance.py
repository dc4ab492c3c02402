"""Time three questions against the targets: `python scripts/test_help_performance.py [FILE]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from souffleur.cli import main

if __name__ == "__main__":
    main(["doctor", "--performance", *sys.argv[1:]])

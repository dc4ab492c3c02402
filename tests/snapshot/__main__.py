"""Write the snapshot, or check against it: one line a difference, exit code 1 where there is one.

python -m tests.snapshot check|write [KIND…]
"""

from __future__ import annotations

import os
import sys

from tests.conftest import SETTINGS
from tests.snapshot.adapter import Help
from tests.snapshot.collecting import KINDS, sample_pages
from tests.snapshot.comparing import absent, differences, write


def main() -> int:
    verb, *named = sys.argv[1:] or [""]
    if verb not in {"write", "check"} or not set(named) <= set(KINDS):
        print(f"{__doc__}\nKinds: {' '.join(KINDS)}", file=sys.stderr)
        return 2
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    with sample_pages() as pages:
        told = [
            _write(kind, pages) if verb == "write" else _check(kind, pages)
            for kind in named or KINDS
        ]
    return int(any(told))


def _write(kind: str, pages: Help) -> int:
    write(kind, KINDS[kind](pages))
    return 0


def _check(kind: str, pages: Help) -> int:
    """Print what differs in a kind. Returns how much that is."""
    values = KINDS[kind](pages)
    lines = list(differences(kind, values))
    if passed := absent(kind, values):
        lines.append(f"{kind}: {passed} pages not compared: not here, or of another version")
    print("\n".join(lines), end="\n" if lines else "")
    return len(lines) - bool(passed)


if __name__ == "__main__":
    sys.exit(main())

#!/bin/sh
# Restart an Ollama that is blocked or stopped, and see that it writes again.
cd "$(dirname "$0")/.." || exit 2
python=.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" cli.py doctor --fix "$@"

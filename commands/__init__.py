"""One module a command: parse, call, render. `cli.py` gathers them."""

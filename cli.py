"""The command line in a checkout: `python cli.py …` is what `souffleur …` is once installed."""

from souffleur.cli import main

if __name__ == "__main__":
    main()

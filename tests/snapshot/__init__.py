"""What must stay as it is while modules move: `python -m tests.snapshot check`, or `write`."""

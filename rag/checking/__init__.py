"""What a model writes, checked sentence by sentence against the passages that it was given."""

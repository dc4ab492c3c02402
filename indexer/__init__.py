"""Help pages to index: load, chunk, encode, write, publish."""

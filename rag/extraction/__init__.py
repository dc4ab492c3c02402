"""Hits to an extractive answer: the sentences, steps and rows of a page that answer."""

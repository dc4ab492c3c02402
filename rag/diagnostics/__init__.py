"""Instruments: what tells how well the pages are searched."""

"""Souffleur's functions under the names that sites import."""

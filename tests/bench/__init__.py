"""Measurements: each a ratio against the plain alternative in the same run."""

"""Worlds about what a failure is due to, each a program with its truth, a naive analysis, and what it gets wrong."""

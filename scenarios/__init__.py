"""Worlds whose truth is known, loaders of real data, and the benchmark."""

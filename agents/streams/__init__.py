"""Streams of bytes to JSON values, within limits; knows nothing of trajectories."""

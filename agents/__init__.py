"""Trajectories and I/O: records, importers, tool environments, re-execution. Knows nothing of torch."""

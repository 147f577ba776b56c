"""Counterfactual replays over very many trajectories: one job, several executors, the same rows from each.

A `Job` is pure data with a content digest. Its units are cut into chunks; a chunk is worked off by one process, which
writes its rows as one Parquet partition (temporary name, fsync, rename) and reports it; the driver then notes it in the
log. What is noted is *acknowledged*: neither a killed worker nor a killed driver loses it, and the same job started
again goes on where the log ends. Rows depend on the job alone: noise is keyed by unit, never by order.
"""

from __future__ import annotations

__all__: list[str] = []

"""TRAIL: which spans of a real trace are at fault, as annotators said (arXiv 2505.08638).

- `labels`: traces with their labels, read from the published records
- `metrics`: what an attributor says of a trace, and how far the labels bear it out
- `rules`: what the surface of a trace says: first, last, longest, most tokens, first error, chance
- `features`, `fitted`: an attributor without a model, from what can be read off spans, cross-validated by trace
- `predictions`: what another attributor said, from a file
- `bench`: the table of `ifonly bench trail`
"""

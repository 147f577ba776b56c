"""Who&When: at which step of a failed log of several agents did it go wrong, held against what humans said.

Zhang et al. 2025, "Which agent causes task failures and when?" (arXiv 2505.00212). The labels are judgements, and no
log can be run again; so what is scored is agreement with them, and nothing here re-executes anything.

- `logs`: what an attributor may see, and the labels, which it may not
- `blame`: what an attributor says, and the Protocol of everything that says it
- `rules`: random and trivial rules; `signs`, `logit`, `ours`: a small attributor that learns from the labels of others
- `words`, `origin`: where the final answer comes from, and a shortlist re-ranked by it
- `transcript`, `judge`, `asking`: a model that is asked
- `predictions`: an attributor of one's own, from a file
- `scoring`, `bench`: strict scores with intervals, and the table
"""

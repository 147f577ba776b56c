"""AgentDojo as a table of potential outcomes: every task under every model, so that predictions have a truth.

- `cells`: the recorded outcomes; `baselines`: what a table of effects says; `scores`: how predictions are held to truth
- `folds`: the predictions of each, out of sample; `steps`: swaps that recordings settle; `bench`: all of it, as rows
"""

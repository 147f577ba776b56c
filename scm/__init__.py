"""The causal kernel: worlds of structural equations, and what was, would be and would have been in them.

Knows nothing of agents. Read in this order:

- `kernel`: `endogenous`, the one primitive, with `Node` and the `Mechanism` protocol
- `fixed`, `continuous`, `discrete`, `finite`, `recorded`: the mechanisms
- `handlers`: `Abduct`, `Intervene` and `Replay`, which give a world its meaning; `actions`: what do() may do
- `queries`: `observe`, `intervene` and `counterfactual`; `enumeration`: the same, exactly, for finite worlds
- `answers`: `Answer` and `Twin`; `estimate`: `Estimate`, the honest number; `intervals`
- `handover`: stock Pyro inference for when particles are too few
- `gumbel`, `chains`, `couplings`: counterfactual choices in closed form, and bounds on them
- `graphs`, `adjustment`: what a graph identifies, and how

Importing the package imports none of them: `estimate`, `intervals`, `draw`, `errors`, `gumbel`, `chains`,
`couplings`, `graphs` and `adjustment` need no torch.
"""

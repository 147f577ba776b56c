"""Policies from logs: what another rule for choosing would have been worth, from the log of one that was followed.

Notation: in round i a context x_i was seen, an action a_i in 0..K-1 taken with propensity p_i = pi_b(a_i | x_i), and a
reward r_i seen. A target policy is an array pi of shape (n, K), pi(a | x_i), rows summing to 1. Its value is
V(pi) = E[sum over a of pi(a | X) r(X, a)].

- `logged`: the log as arrays, checked
- `value`: an estimated value with its influence function, and the intervals it gives
- `evaluation`: a log under a target policy, perhaps with a reward model: what the estimators take
- `weighting`: `naive`, `ipw`, `snipw`; `doubly_robust`: `dm`, `dr`, `sndr`, `switch_dr`, `dr_os`
- `bootstrap`: the cluster bootstrap of any of them
- `nuisance`: cross-fitted reward models and propensities
- `sequences`: runs of several choices: `tis`, `pdis`, `sntis`, `snpdis`; `sequential_dr`; `fitted_q`: `fqe`;
  `sequence_support`
- `replayed`: the same by abduction of every logged run
- `support`, `bounds`, `marginal_sensitivity`, `placebo`: what to trust; `drift`: whether it still holds
"""

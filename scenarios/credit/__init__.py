"""Credit over a chain of choices: an agent of some ten steps whose truth is known, and who sees what.

- `workflow`: the world: who reads whom, the law of every choice, what a wrong one does; the shipped one, and drawn ones
- `logs`: what a tool may read: runs with option log-probabilities, and what may be asked or executed besides
- `truth`: the runs' own noise, the exact posterior over it, and what follows: flip sets, counterfactual probabilities
- `structure`, `automaton`: what executing the tools tells, and what the logs of many runs tell
- `laws`: where the law of a choice in another context comes from: asked, shared between runs, or counted
- `attributor`: which step a failure is due to, from logs, tools and counted questions alone
- `baselines`, `bench`: the rules beside it, and the table
"""

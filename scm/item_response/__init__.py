"""Who would have solved it? A hierarchical item-response world, fitted to outcomes of units on items.

Units (models, policies) met items (tasks, problems), not each unit every item. The world's latents (skill, difficulty,
discrimination, and what pairs of groups have in common) are abducted from all outcomes; outcomes that were not seen
follow, with their intervals. Knows nothing of agents.

- `facets`: which latents each cell is made of; `world`: the Pyro program; `posterior`: draws of its latents
- `fit`: SVI and, to check it, NUTS
- `predict`: probabilities and intervals of outcomes; `unit`: P(B solves i | A's outcome on i), and its bounds
- `abduct`: new outcomes under a fixed posterior, without fitting again
"""

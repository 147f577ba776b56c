"""Effects of what a model is trained on: treatments that are shares of a whole, so that more of one is less of another.

`simplex` and `coordinates` say what a mixture is and what a substitution does; `partially_linear` and `dose` estimate
effects from confounded runs by double machine learning; `surface` predicts the loss under do(mixture) from randomised
ones; `selection` values the best mixture proposed, and `transport` carries predictions from small models to large.
"""

from __future__ import annotations

__all__: list[str] = []

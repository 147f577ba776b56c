"""Rules that choose an arm from named features: a person can read them, and a few lines of any language follow them.

Every rule is data (Pydantic, JSON); its `policy` turns features into the array pi(a | x_i) that the estimators take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.logged import Floats, check_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.policy.logged import Ints

__all__ = ["Constant", "Leaf", "Linear", "Mixed", "Rule", "Split", "Tree"]


class _Rule(BaseModel):
    """Base of rules: frozen, closed, over named arms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arms: tuple[str, ...] = Field(min_length=1)

    def _indices(self, arms: Sequence[str]) -> list[int]:
        """Where this rule's arms stand among those of a log.

        Raises:
            NotApplicable: if one is not there.
        """
        missing = [arm for arm in self.arms if arm not in arms]
        if missing:
            raise NotApplicable(f"the rule chooses {missing}, which the log does not know: its arms are {list(arms)}")
        return [list(arms).index(arm) for arm in self.arms]

    def _chosen(self, choices: Ints, arms: Sequence[str]) -> Floats:
        """One arm a round, as an array of probabilities."""
        policy = np.zeros((len(choices), len(arms)))
        policy[np.arange(len(choices)), np.asarray(self._indices(arms))[choices]] = 1.0
        return policy


class Constant(_Rule):
    """Always the same arm: `arms` holds it alone."""

    kind: Literal["constant"] = "constant"
    arms: tuple[str, ...] = Field(min_length=1, max_length=1)

    def policy(self, names: Sequence[str], features: Floats, arms: Sequence[str]) -> Floats:
        """pi(a | x_i), shape (n, K): see `Tree.policy`."""
        return self._chosen(np.zeros(len(features), dtype=np.intp), arms)


class Mixed(_Rule):
    """An arm at random, whatever the features: `shares` are its probabilities, in the order of `arms`."""

    kind: Literal["mixed"] = "mixed"
    shares: tuple[Annotated[FiniteFloat, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _a_distribution(self) -> Self:
        if len(self.shares) != len(self.arms) or abs(sum(self.shares) - 1) > 1e-6:  # noqa: PLR2004 -- rounding
            raise ValueError(f"{len(self.arms)} arms need as many shares that sum to 1, not {self.shares}")
        return self

    def policy(self, names: Sequence[str], features: Floats, arms: Sequence[str]) -> Floats:
        """pi(a | x_i), shape (n, K): see `Tree.policy`."""
        row = np.zeros(len(arms))
        row[self._indices(arms)] = self.shares
        return check_policy(row, len(features), len(arms))


class Linear(_Rule):
    """The arm with the largest score: intercept + weights . features, the first of equal ones.

    Attributes:
        features: names of the features, d of them.
        intercepts: of each arm.
        weights: of each arm, d each.
    """

    kind: Literal["linear"] = "linear"
    features: tuple[str, ...]
    intercepts: tuple[FiniteFloat, ...]
    weights: tuple[tuple[FiniteFloat, ...], ...]

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        if not len(self.arms) == len(self.intercepts) == len(self.weights):
            raise ValueError(f"{len(self.arms)} arms need as many intercepts and rows of weights")
        if any(len(row) != len(self.features) for row in self.weights):
            raise ValueError(f"{len(self.features)} features need as many weights in each row")
        return self

    def policy(self, names: Sequence[str], features: Floats, arms: Sequence[str]) -> Floats:
        """pi(a | x_i), shape (n, K): see `Tree.policy`."""
        read = features[:, _columns(self.features, names)]
        scores = read @ np.array(self.weights).T.reshape(len(self.features), -1) + np.array(self.intercepts)
        return self._chosen(scores.argmax(1), arms)


class Leaf(BaseModel):
    """The end of a tree: the arm that is chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arm: str


class Split(BaseModel):
    """A question: is the feature at most `at`?"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str
    at: FiniteFloat
    at_most: Leaf | Split
    above: Leaf | Split


class Tree(_Rule):
    """Questions about one feature each, whose answers lead to an arm."""

    kind: Literal["tree"] = "tree"
    root: Leaf | Split

    @model_validator(mode="after")
    def _arms_known(self) -> Self:
        unknown = sorted({leaf.arm for leaf in _leaves(self.root)} - set(self.arms))
        if unknown:
            raise ValueError(f"leaves choose {unknown}, which are not among the arms {list(self.arms)}")
        return self

    def policy(self, names: Sequence[str], features: Floats, arms: Sequence[str]) -> Floats:
        """pi(a | x_i), shape (n, K).

        Args:
            names: of the columns of the features.
            features: shape (n, d).
            arms: the K arms of the log; they must include the rule's.

        Raises:
            NotApplicable: if an arm or a feature that the rule names is not there.
        """
        choices = np.empty(len(features), dtype=np.intp)
        self._walk(self.root, np.arange(len(features)), names, features, choices)
        return self._chosen(choices, arms)

    def _walk(self, node: Leaf | Split, rows: Ints, names: Sequence[str], features: Floats, choices: Ints) -> None:
        if isinstance(node, Leaf):
            choices[rows] = self.arms.index(node.arm)
            return
        (column,) = _columns((node.feature,), names)
        low = features[rows, column] <= node.at
        self._walk(node.at_most, rows[low], names, features, choices)
        self._walk(node.above, rows[~low], names, features, choices)


Rule = Annotated[Constant | Mixed | Linear | Tree, Field(discriminator="kind")]
"""Any rule, told apart by `kind`."""


def _leaves(node: Leaf | Split) -> list[Leaf]:
    return [node] if isinstance(node, Leaf) else [*_leaves(node.at_most), *_leaves(node.above)]


def _columns(wanted: Sequence[str], names: Sequence[str]) -> list[int]:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise NotApplicable(f"the rule reads {missing}, which the log does not have: its features are {list(names)}")
    return [list(names).index(name) for name in wanted]

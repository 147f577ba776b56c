"""Policy trees: the few questions that choose best, found by search and not by luck.

A policy tree of depth D maximises sum over rounds of s(i, pi(x_i)), with scores s of every arm in every round, over all
trees whose questions are given cuts (Athey and Wager 2021, "Policy learning with observational data", Econometrica
89:133; Zhou, Athey and Wager 2023 for more than two arms). Exact to depth 2: with cuts as indicators C, shape (n, m),
the sums of scores over all pairs of cuts are C' diag(s_a) C, one matrix product an arm. Deeper trees take each question
as the root of the best tree of depth 2 below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ifonly.scm.errors import NotApplicable
from ifonly.scm.policy.rules import Leaf, Split, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ifonly.scm.policy.logged import Floats, Ints

__all__ = ["Cuts", "best_tree", "cuts_of"]

_LEAST = 20
"""Rounds on each side of a question, at least."""


@dataclass(frozen=True, eq=False)
class Cuts:
    """The questions that a tree may ask.

    Attributes:
        features: the feature of each of m cuts.
        at: where each cuts.
        below: whether each round's feature is at most that, shape (n, m), as 0 and 1.
    """

    features: tuple[str, ...]
    at: tuple[float, ...]
    below: Floats


def cuts_of(names: Sequence[str], features: Floats, most: int = 16) -> Cuts:
    """Return cuts at quantiles: between neighbouring values where there are few, else at `most` evenly filled places.

    Args:
        names: of the columns.
        features: shape (n, d).
        most: cuts of one feature, at most.
    """
    found: list[tuple[str, float, int]] = []
    for column, name in enumerate(names):
        values = np.unique(features[:, column])
        middles = (values[1:] + values[:-1]) / 2
        if len(middles) > most:
            wanted = np.quantile(features[:, column], np.arange(1, most + 1) / (most + 1))
            middles = np.unique(middles[np.searchsorted(values, wanted, side="right").clip(1, len(middles)) - 1])
        found += [(name, float(at), column) for at in middles]
    below = features[:, [column for *_, column in found]] <= np.array([at for _, at, _ in found])
    return Cuts(tuple(name for name, *_ in found), tuple(at for _, at, _ in found), below.astype(float))


def best_tree(scores: Floats, cuts: Cuts, arms: Sequence[str], depth: int = 2, least: int = _LEAST) -> Tree:
    """Return the tree that chooses best.

    Args:
        scores: what each arm brings in each round, shape (n, K): larger is better.
        cuts: the questions, of the same rounds.
        arms: names of the K arms.
        depth: questions on a path, at most; exact to 2.
        least: rounds on each side of a question, at least.

    Raises:
        NotApplicable: if shapes differ or the depth is negative.
    """
    if scores.shape != (len(cuts.below), len(arms)) or depth < 0:
        raise NotApplicable(
            f"scores of shape {scores.shape} do not fit {len(cuts.below)} rounds and {len(arms)} arms, or the depth "
            f"{depth} is negative"
        )
    return Tree(arms=tuple(arms), root=_grown(scores, cuts, np.arange(len(scores)), arms, depth, least))


def _grown(scores: Floats, cuts: Cuts, rows: Ints, arms: Sequence[str], depth: int, least: int) -> Leaf | Split:
    mine = scores[rows]
    leaf = Leaf(arm=arms[int(mine.sum(0).argmax())]) if len(rows) else Leaf(arm=arms[0])
    if depth == 0 or not cuts.at or len(rows) < 2 * least:
        return leaf
    below = cuts.below[rows]
    root = _best_root(mine, below, min(depth, 2), least)
    if root is None:
        return leaf
    low = below[:, root] == 1
    sides = [_grown(scores, cuts, rows[side], arms, depth - 1, least) for side in (low, ~low)]
    # A question with one answer is none.
    if sides[0] == sides[1]:
        return sides[0]
    return Split(feature=cuts.features[root], at=cuts.at[root], at_most=sides[0], above=sides[1])


def _best_root(scores: Floats, below: Floats, depth: int, least: int) -> int | None:
    """The cut at the root of the best tree of depth 1 or 2; None if no cut beats one arm for all."""
    total, sums = scores.sum(0), below.T @ scores
    counts = below.sum(0)
    allowed = (counts >= least) & (len(below) - counts >= least)
    if depth == 1:
        gain = sums.max(1) + (total - sums).max(1)
    else:
        within = below.T @ below
        joint = np.stack([below.T @ (below * scores[:, [a]]) for a in range(scores.shape[1])], -1)
        gain = _side(sums, joint, counts, within, least) + _side(
            total - sums, sums[None] - joint, len(below) - counts, counts[None] - within, least
        )
    gain = np.where(allowed, gain, -np.inf)
    root = int(gain.argmax())
    better = gain[root] > total.max() + 1e-12 * max(float(np.abs(scores).sum()), 1.0)
    return root if better else None


def _side(sums: Floats, joint: Floats, counts: Floats, within: Floats, least: int) -> Floats:
    """The best that one more question does on one side of each cut: shape (m,).

    Args:
        sums: scores on that side, (m, K).
        joint: scores on that side where the second cut's answer is "at most", (m, m, K).
        counts: rounds on that side, (m,).
        within: rounds on that side where the second answer is "at most", (m, m).
        least: rounds on each side of the second question, at least.
    """
    asked = joint.max(-1) + (sums[:, None] - joint).max(-1)
    asked = np.where((within >= least) & (counts[:, None] - within >= least), asked, -np.inf)
    best: Floats = np.maximum(sums.max(-1), asked.max(1))
    return best

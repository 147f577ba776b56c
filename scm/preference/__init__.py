"""What moves an annotator's preference: style or content, who is asked, and what is shown first."""

from __future__ import annotations

from ifonly.scm.preference.annotators import remixed
from ifonly.scm.preference.length import (
    Anchor,
    LengthControlled,
    anchor_of,
    instruction_difficulty,
    length_controlled,
    length_term,
)
from ifonly.scm.preference.logistic import Fit, cross_validated, discounted, fit_logistic
from ifonly.scm.preference.position import PositionEffect, both_orders, by_design

__all__ = [
    "Anchor",
    "Fit",
    "LengthControlled",
    "PositionEffect",
    "anchor_of",
    "both_orders",
    "by_design",
    "cross_validated",
    "discounted",
    "fit_logistic",
    "instruction_difficulty",
    "length_controlled",
    "length_term",
    "remixed",
]

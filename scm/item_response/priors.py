"""Scales of the priors of an item-response world."""

__all__ = ["DISCRIMINATION_SCALE", "MEAN_SCALE"]

MEAN_SCALE = 2.0
"""Prior standard deviation of the mean logit."""

DISCRIMINATION_SCALE = 0.4
"""Prior standard deviation of log discrimination: 95 % of items within a factor 2.2 of the middle one."""

"""A share has Clopper and Pearson's interval, its number of trials, and its rung."""

from __future__ import annotations

import pytest

from ifonly.scm.shares import share_of


def test_none_of_ten():
    share = share_of(0, 10, "observed")
    assert (share.value, share.low) == (0.0, 0.0)
    assert share.high == pytest.approx(1 - 0.025 ** (1 / 10))  # (1 - high)^10 = .025
    assert (share.effective, share.rung, share.identified) == (10.0, "observed", "point")


def test_ends_mirror_each_other():
    some, others = share_of(3, 10, "interventional", 0.9), share_of(7, 10, "interventional", 0.9)
    assert some.value == 0.3
    assert (some.low, some.high) == (pytest.approx(1 - others.high), pytest.approx(1 - others.low))
    assert some.level == 0.9

"""Tables as judged items, and what is said of those that are none."""

import numpy as np
import pytest

from ifonly.agents.errors import InputError, UnknownName
from ifonly.agents.tables import table_of
from ifonly.sim.judging import judged_table

TABLE = table_of({"prompt": ["a", "a", "b"], "judge": [1.0, 0.5, 0.0], "human": [1.0, None, 0.0]})


def test_empty_cells_are_items_that_nobody_labelled():
    items = judged_table(TABLE, "human", "judge", "prompt")
    assert items.labelled.tolist() == [True, False, True]
    assert items.judge.tolist() == [1, 0.5, 0]
    assert items.clusters.tolist() == [0, 0, 1]


def test_mistakes_are_told():
    with pytest.raises(UnknownName, match="near: judge"):
        judged_table(TABLE, "human", "juge")
    with pytest.raises(InputError, match="missing for 1 of 3 items"):
        judged_table(TABLE, "judge", "human")
    empty = table_of({"judge": [1.0, 0.0], "human": [None, None]})
    with pytest.raises(InputError, match="none of the 2 items has a human label"):
        judged_table(empty, "human", "judge")
    words = table_of({"judge": [1.0, 0.0], "human": ["good", None]})
    with pytest.raises(InputError, match="row 1: 'good'"):
        judged_table(words, "human", "judge")
    assert np.isnan(judged_table(TABLE, "human", "judge").human[1])

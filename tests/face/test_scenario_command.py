"""``ifonly scenario`` on the command line: list, answers as text, JSON, page and picture, and mistakes."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from ifonly.report.charts import Scale, chart, forest
from ifonly.report.layered import layered
from ifonly.scenarios.study import Asked, Finding, Picture, ScenarioAnswer, Series
from ifonly.scm.estimate import Estimate


def test_the_list(cli):
    done = cli("scenario", "--list")
    assert done.status == 0
    assert "shared-latent" in done.out
    rows = cli("scenario", "--list", "--json").json["scenarios"]
    assert {"name", "stage", "question", "data"} == rows[0].keys()
    assert "agents" in {row["stage"] for row in rows}


def test_an_answer(cli, tmp_path):
    page, picture = tmp_path / "page.html", tmp_path / "picture.svg"
    done = cli("scenario", "rescue", "--html", page, "--svg", picture)
    assert done.status == 0
    assert "plan -> draft" in done.out
    assert "Mend the plan" in done.out
    assert "Which step decides" in page.read_text()
    assert ET.fromstring(picture.read_text()).tag.endswith("svg")
    found = ScenarioAnswer.model_validate_json(cli("scenario", "rescue", "--json").out)
    assert found.version == 1
    assert found.world.asked[0].truth == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "--list"),
        (("resque",), 2, "rescue"),
        (("rescue", "--data", "nowhere"), 3, "no real data"),
    ],
)
def test_mistakes_are_told(cli, arguments, status, told):
    done = cli("scenario", *arguments)
    assert done.status == status
    assert told in done.err


def test_causes_stand_left_of_what_they_move():
    drawn = layered([("a", "b"), ("b", "c"), ("a", "c"), ("late", "c")], {"a"})
    place = {node.name: node for node in drawn.nodes}
    assert place["a"].x < place["b"].x == place["late"].x < place["c"].x
    assert place["a"].hidden
    assert [arrow.hidden for arrow in drawn.arrows].count(True) == 2
    assert len({(node.x, node.y) for node in drawn.nodes}) == 4
    assert all(0 <= node.x <= node.x + node.width <= drawn.width for node in drawn.nodes)
    assert all(drawn.top <= node.y <= node.y + node.height <= drawn.top + drawn.height for node in drawn.nodes)


def test_arrows_pass_by_the_boxes_between():
    """a moves d past b and c, which stand in its way; Bezier curves stay within the hull of their points."""
    drawn = layered([("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")])
    boxes = {node.name: node for node in drawn.nodes}
    assert len({node.middle for node in drawn.nodes}) == 1
    (long,) = [arrow.path for arrow in drawn.arrows if arrow.path.startswith(f"M {boxes['a'].width + 6:.1f}")][1:]
    _, control = (float(word) for word in long.split("C ")[1].split()[:2])
    away = 0.75 * abs(control - boxes["b"].middle)
    assert away > boxes["b"].height / 2
    assert drawn.top < 0 or drawn.height > 60


def test_a_scale_keeps_order_and_leaves_what_is_unbounded_out():
    scale = Scale.over([0.0, 1.0, 1e300], 100, 200)
    assert scale.high == 1.0
    assert scale(0.0) < scale(0.5) < scale(1.0) == scale(1e300) < 200


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((0.396, 1.0), ["0.4", "0.6", "0.8", "1"]),
        ((-0.23, 0.47), ["-0.2", "0", "0.2", "0.4"]),
        ((0.0, 1.0), ["0", "0.5", "1"]),
        ((1.0, 4.0), ["1", "2", "3", "4"]),
        ((3.0, 3.0), ["3"]),
    ],
)
def test_ticks_are_round(ends, told):
    assert [label for _, label in Scale(*ends, 0, 100).ticks] == told


def test_answers_and_series_are_placed():
    wide = Estimate(value=0.5, low=0.2, high=0.8, level=0.95, rung="observed", identified="point")
    bound = Estimate.bounded(0.0, 1.0, "interventional")
    asked = Asked(
        name="?",
        truth=0.4,
        naive=Finding(name="raw means", estimate=wide, right=False),
        answers=(Finding(name="b", estimate=bound),),
    )
    (panel,) = forest([asked]).panels
    dot, bounds = panel.rows
    assert (dot.kind, bounds.kind) == ("naive", "right")
    assert dot.low < panel.truth < dot.point < dot.high
    assert (bounds.point, bounds.low < dot.low, bounds.high > dot.high) == (None, True, True)
    line = Series(name="l", x=(0, 1), y=(0, 1), low=(0, 0.5), high=(0.5, 2))
    dots = Series(name="d", x=(0.5,), y=(0.5,), line=False)
    drawn = chart(Picture(title="t", x="x", y="y", series=(line, dots)))
    assert drawn.lines[0].path.startswith("M ")
    assert drawn.lines[0].band.endswith("Z")
    ((x, y, low, high),) = drawn.lines[1].dots
    assert y == low == high
    assert drawn.left < x < drawn.width

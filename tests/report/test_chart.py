import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from codepref.report import chart

HOSTILE = "</text><script>alert(1)</script>"


@pytest.mark.parametrize(
    "span", [(0.463, 0.85), (0.5, 0.5), (-0.02, 0.2), (0.0, 10.0), (0.001, 0.0011), (3.0, 12000.0)]
)
def test_ticks_are_round_and_enclose(span):
    marks = chart.ticks(*span)
    assert marks[0] <= span[0] + 1e-9 and marks[-1] >= span[1] - 1e-9 and 2 <= len(marks) <= 8
    assert len({round(b - a, 9) for a, b in pairwise(marks)}) == 1


def parsed(svg):
    return ElementTree.fromstring(str(svg))


def test_names_are_escaped_everywhere():
    made = [
        chart.intervals("a", HOSTILE, [(HOSTILE, 0.5, 0.4, 0.6), ("b", 0.7, 0.6, 0.8)], (0.4, 0.8)),
        chart.lines("b", HOSTILE, HOSTILE, (HOSTILE, HOSTILE), [(HOSTILE, [(0, 1.0), (1, 2.0)], "main")]),
        chart.stacks("c", HOSTILE, [1.5]),
        chart.matrix("d", [[True]], ([1.0], [1.0]), ([True], None), {0: HOSTILE}),
    ]
    for svg in made:
        assert HOSTILE in "".join(parsed(svg).itertext()) and not parsed(svg).findall(".//script")


def test_intervals_stand_where_their_values_are():
    root = parsed(chart.intervals("a", "t", [("a", 0.5, 0.4, 0.6), ("b", 0.7, 0.65, 0.75)], (0.4, 0.8)))
    first, second = (float(dot.get("cx")) for dot in root.iter("circle"))
    ranges = [line for line in root.iter("line") if line.get("class").startswith("range")]
    assert (float(ranges[0].get("x1")) + float(ranges[0].get("x2"))) / 2 == pytest.approx(first, abs=0.02)
    per_point = (second - first) / 0.2
    assert float(ranges[1].get("x2")) - float(ranges[1].get("x1")) == pytest.approx(0.1 * per_point, abs=0.02)


def test_the_ends_of_lines_do_not_hide_each_other():
    series = [(name, [(0, 0.0), (1, 1.0 + 0.001 * place)], "main") for place, name in enumerate("abc")]
    labels = [
        text for text in parsed(chart.lines("a", "t", "d", ("x", "y"), series)).iter("text") if text.text in "abc"
    ]
    heights = sorted(float(label.get("y")) for label in labels)
    assert len(heights) == 3 and all(below - above >= 14.99 for above, below in pairwise(heights))


def test_every_ratio_is_one_dot_and_none_lies_on_another():
    values = sorted([1.31, 1.32, 1.33, 2.0, 2.01, 700.0])
    root = parsed(chart.stacks("a", "t", values))
    places = {(dot.get("cx"), dot.get("cy")) for dot in root.iter("circle")}
    assert len(places) == len(values)
    assert "6 pairs, from 1.31 to 700.00 times" in "".join(root.itertext())


def test_a_matrix_is_in_the_order_of_its_scores():
    passed = [[False, True], [True, True], [False, False]]
    svg = chart.matrix("m", passed, ([2.0, 3.0, 0.0], [1.0, 2.0]), ([False, True, False], [True, True]), {1: "chosen"})
    labels = [text.text for text in parsed(svg).iter("text")][:3]
    assert labels == ["chosen 2", "1", "3"]
    cells = re.findall(r"program (\d) on test (\d): (passes|fails)", str(svg))
    assert [(int(i), int(j)) for i, j, _ in cells] == [(2, 2), (2, 1), (1, 2), (1, 1), (3, 2), (3, 1)]
    assert all((word == "passes") == passed[int(i) - 1][int(j) - 1] for i, j, word in cells)

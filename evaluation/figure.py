"""The score of a run as a picture: horizontal bars with intervals, as SVG text, which needs no plotting library."""

from collections.abc import Mapping
from xml.sax.saxutils import escape

BAR, GAP, LEFT, WIDTH, TOP = 22, 12, 190, 430, 44
"""Pixels: height of a bar, space between two, room for names, length of 100 %, room for the title."""
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
    '<text x="12" y="22" font-size="13">{title}</text>\n'
)
_GRID = (
    '<line x1="{x}" x2="{x}" y1="{top}" y2="{bottom}" stroke="#e4e4e4"/>'
    '<text x="{x}" y="{label}" text-anchor="middle" fill="#555555">{mark}</text>\n'
)
_BAR = (
    '<text x="{name_x}" y="{text_y}" text-anchor="end">{name}</text>'
    '<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar}" fill="#3b6ea8"><title>{value:.1f} %</title></rect>'
    '<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="#222222" stroke-width="1.6"/>\n'
)


def score_bars(title: str, scores: Mapping[str, Mapping[str, float]]) -> str:
    """One bar a name, first on top.

    Args:
        title: One line above the bars.
        scores: Name -> `value`, `low` and `high`, shares in [0, 1].
    """
    bottom = TOP + len(scores) * (BAR + GAP)
    parts = [_HEAD.format(width=LEFT + WIDTH + 40, height=bottom + 28, title=escape(title))]
    for mark in range(0, 101, 20):
        parts.append(_GRID.format(x=_x(mark / 100), top=TOP - 8, bottom=bottom, label=bottom + 16, mark=f"{mark} %"))
    for place, (name, score) in enumerate(scores.items()):
        y = TOP + place * (BAR + GAP)
        parts.append(
            _BAR.format(
                name=escape(name), name_x=LEFT - 8, text_y=y + BAR - 6, left=LEFT, y=y, bar=BAR, middle=y + BAR // 2,
                length=score["value"] * WIDTH, value=100 * score["value"], low=_x(score["low"]), high=_x(score["high"]),
            )
        )  # fmt: skip
    return "".join([*parts, "</svg>\n"])


def _x(share: float) -> float:
    return LEFT + share * WIDTH

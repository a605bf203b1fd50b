"""Charts for the report as SVG text: colours come from the page's classes, so light, dark and print are the page's.

Every chart has a title and a description for those who do not see it; what differs, differs by form as well as by
colour. All text is escaped.
"""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

Interval = tuple[str, float, float, float]
"""Label, value, lower and upper end."""
Series = tuple[str, Sequence[tuple[float, float]], str]
"""Label (empty: none is drawn), points and class: `main`, `other` or `faint`."""

WIDTH = 360
CELL = 17
COLUMNS = 28
"""Columns of `stacks`."""


def _tag(name: str, *inside: Markup | str, **attributes: Any) -> Markup:
    """An element; numbers are rounded to hundredths, `_` in names stands for `-`."""
    words = Markup("").join(
        Markup(' {}="{}"').format(key.strip("_").replace("_", "-"), _number(value)) for key, value in attributes.items()
    )
    body = Markup("").join(inside)
    return Markup("<{0}{1}>{2}</{0}>").format(name, words, body)


def _number(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _mark(value: float) -> str:
    """A number at an axis, with a true minus sign."""
    return f"{value:g}".replace("-", "\u2212")


def _svg(name: str, size: tuple[float, float], title: str, about: str, body: Sequence[Markup], **more: Any) -> Markup:
    heads = (_tag("title", title, id=f"{name}-title"), _tag("desc", about, id=f"{name}-desc"))
    return _tag(
        "svg",
        *heads,
        *body,
        class_="chart",
        viewBox=f"0 0 {_number(float(size[0]))} {_number(float(size[1]))}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        **more,
    )


def _text(x: float, y: float, text: str, kind: str = "soft", anchor: str = "start") -> Markup:
    return _tag("text", text, x=float(x), y=float(y), class_=kind, text_anchor=anchor)


def _line(x: float, y: float, to_x: float, to_y: float, kind: str) -> Markup:
    return _tag("line", x1=float(x), y1=float(y), x2=float(to_x), y2=float(to_y), class_=kind)


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about as many as wanted, at least two."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / wanted))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= wanted)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def intervals(name: str, title: str, items: Sequence[Interval], span: tuple[float, float]) -> Markup:
    """Values with their intervals, one below the other; the first is what the others are compared with.

    Args:
        name: Prefix of the ids in the page.
        title: What is shown.
        items: Shares.
        span: Lowest and highest share of the axis, the same for charts that are compared.
    """
    left, right, row, top = 84, WIDTH - 58, 34, 14
    marks = ticks(*span, wanted=4)
    bottom = top + row * len(items)

    def x(value: float) -> float:
        return left + (right - left) * (value - marks[0]) / (marks[-1] - marks[0])

    body = [_line(x(mark), top, x(mark), bottom, "grid") for mark in marks]
    body += [_text(x(mark), bottom + 16, f"{100 * mark:.0f}", anchor="middle") for mark in marks]
    body.append(_text(right + 12, bottom + 16, "%"))
    body.append(_line(x(items[0][1]), top, x(items[0][1]), bottom, "guide"))
    for place, (label, value, low, high) in enumerate(items):
        y, kind = top + row * (place + 0.5), "main" if place else "other"
        body.append(_text(0, y + 4, label, "ink"))
        body.append(_line(x(low), y, x(high), y, f"range {kind}"))
        body.append(_tag("circle", cx=x(value), cy=y, r=5.5, class_=f"dot {kind}"))
        body.append(_text(WIDTH, y + 4, f"{100 * value:.1f} %", f"value {kind}", "end"))
    about = "; ".join(f"{n}: {100 * v:.1f} %, interval {100 * a:.1f} to {100 * b:.1f} %" for n, v, a, b in items)
    return _svg(name, (WIDTH, bottom + 24), title, about + ".", body)


def lines(name: str, title: str, about: str, labels: tuple[str, str], series: Sequence[Series]) -> Markup:
    """Points joined by lines, the important ones last and named at their end.

    Args:
        name: Prefix of the ids in the page.
        title: What is shown.
        about: The same for those who do not see it.
        labels: What the axes show.
        series: Lines in the order in which they are drawn.
    """
    named = any(label for label, _, _ in series)
    left, right, top, bottom = 40, WIDTH - (64 if named else 8), 26 if labels[1] else 8, 190
    points = [point for _, items, _ in series for point in items]
    across = ticks(min(x for x, _ in points), max(x for x, _ in points), 5)
    upward = ticks(min(y for _, y in points), max(y for _, y in points), 4)
    end = max(x for x, _ in points)

    def place(x: float, y: float) -> tuple[float, float]:
        width = max(end - across[0], 1e-9)
        return (
            left + (right - left) * (x - across[0]) / width,
            bottom - (bottom - top) * (y - upward[0]) / (upward[-1] - upward[0]),
        )

    body = [_line(left, place(0, mark)[1], right, place(0, mark)[1], "grid") for mark in upward]
    body += [_text(left - 8, place(0, mark)[1] + 4, _mark(mark), anchor="end") for mark in upward]
    body += [_text(place(mark, 0)[0], bottom + 18, _mark(mark), anchor="middle") for mark in across if mark <= end]
    body += [_text(right, bottom + 36, labels[0], anchor="end"), *([_text(0, 12, labels[1])] if labels[1] else [])]
    for _, items, kind in series:
        points = [place(x, y) for x, y in items]
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        body.append(_tag("polyline", points=path, class_=f"path {kind}"))
    body += _ends([(place(*items[-1])[1], label, kind) for label, items, kind in series if label], right)
    return _svg(name, (WIDTH, bottom + 44), title, about, body)


def _ends(labels: Sequence[tuple[float, str, str]], x: float) -> list[Markup]:
    """Names of lines at their right end, at least a line of text apart."""
    body, last = [], -math.inf
    for y, label, kind in sorted(labels):
        last = max(y + 4, last + 15)
        body.append(_text(x + 6, last, label, f"value {kind}"))
    return body


def stacks(name: str, title: str, values: Sequence[float]) -> Markup:
    """A dot for each ratio, equal ones on top of each other, on a logarithmic axis from 1.

    Args:
        name: Prefix of the ids in the page.
        title: What is shown.
        values: Ratios above 1, ascending, at least one.
    """
    top = 2.0 ** math.ceil(math.log2(max(*values, 2.0)) - 1e-9)
    places = [min(int(COLUMNS * math.log(max(value, 1)) / math.log(top)), COLUMNS - 1) for value in values]
    wide = (WIDTH - 16) / COLUMNS
    high = min(wide, 150 / max(places.count(place) for place in places))
    bottom = 12 + high * max(places.count(place) for place in places)
    powers = int(math.log2(top))
    marks = [2.0**power for power in range(0, powers + 1, 1 + powers // 7)]
    body = [_line(8, bottom, WIDTH - 8, bottom, "axis")]
    for mark in marks:
        x = 8 + (WIDTH - 16) * math.log(mark) / math.log(top)
        body += [_line(x, bottom, x, bottom + 5, "axis"), _text(x, bottom + 20, f"{mark:g}\u00d7", anchor="middle")]
    for index, column in enumerate(places):
        height = places[:index].count(column)
        x, y = 8 + wide * (column + 0.5), bottom - high * (height + 0.5)
        body.append(_tag("circle", cx=x, cy=y, r=min(wide, high) * 0.4, class_="dot main"))
    middle = values[len(values) // 2]
    about = f"{len(values)} pairs, from {values[0]:.2f} to {values[-1]:.2f} times, {middle:.2f} in the middle."
    return _svg(name, (WIDTH, bottom + 28), title, about, body)


def matrix(
    name: str,
    passed: Sequence[Sequence[bool]],
    scores: tuple[Sequence[float], Sequence[float]],
    truths: tuple[Sequence[bool] | None, Sequence[bool] | None],
    marks: dict[int, str],
) -> Markup:
    """A pass matrix, programs down and tests across, both by falling score, with bars for the scores at its edges.

    Args:
        name: Prefix of the ids in the page.
        passed: Row i is program i, column j test j.
        scores: Of programs and of tests; bars are relative to the highest.
        truths: Whether each is right, where that is known.
        marks: Word beside a row, by program.
    """
    rows, columns = order(scores[0]), order(scores[1])
    left, top, bar = 96, 64, 56
    right, bottom = left + CELL * len(columns), top + CELL * len(rows)
    body = []
    for place, i in enumerate(rows):
        y = top + CELL * place
        cells = [_cell(left + CELL * k, y, passed[i][j], f"{i + 1} on test {j + 1}") for k, j in enumerate(columns)]
        share = scores[0][i] / (max(scores[0]) or 1)
        middle = y + CELL / 2
        body += [
            _text(left - 24, middle + 4, f"{marks.get(i, '')} {i + 1}".strip(), _kind(marks.get(i)), "end"),
            *cells,
        ]
        body += [] if truths[0] is None else [_truth(left - 13, middle, truths[0][i])]
        body.append(_tag("rect", x=float(right + 8), y=y + 5.0, width=bar * share, height=CELL - 10.0, class_="bar"))
    for place, j in enumerate(columns):
        share, x = scores[1][j] / (max(scores[1]) or 1), left + CELL * (place + 0.5)
        body += [] if truths[1] is None else [_truth(x, top - 11, truths[1][j])]
        high = (top - 34) * share
        body.append(_tag("rect", x=x - 3.5, y=top - 22 - high, width=CELL - 10.0, height=high, class_="bar"))
    body += [_text(left - 24, top - 8, "tests", anchor="end"), _text(right + 8, top - 8, "score")]
    about = (
        f"{len(rows)} programs and {len(columns)} tests by falling score. Of {len(rows) * len(columns)} runs "
        f"{sum(map(sum, passed))} pass. The table below has every one."
    )
    size = (right + 8 + bar, bottom + 4)
    return _svg(name, size, "Which program passes which test", about, body, width=size[0])


def order(scores: Sequence[float]) -> list[int]:
    """Positions by falling score; of equal ones the earlier first."""
    return sorted(range(len(scores)), key=lambda place: (-scores[place], place))


def _kind(mark: str | None) -> str:
    return "soft" if mark is None else "value main" if mark == "chosen" else "value ink"


def _cell(x: float, y: float, passed: bool, words: str) -> Markup:
    """A filled square where the test passes, a small hollow dot where not."""
    title = _tag("title", f"program {words}: {'passes' if passed else 'fails'}")
    if passed:
        return _tag("rect", title, x=x + 1.0, y=y + 1.0, width=CELL - 2.0, height=CELL - 2.0, rx=2, class_="pass")
    return _tag("circle", title, cx=x + CELL / 2, cy=y + CELL / 2, r=1.8, class_="fail")


def _truth(x: float, y: float, right: bool) -> Markup:
    """A tick or a cross."""
    path = "M-3.6,0.2 L-1,3 L3.8,-3.2" if right else "M-2.8,-2.8 L2.8,2.8 M-2.8,2.8 L2.8,-2.8"
    place = f"translate({_number(float(x))} {_number(float(y))})"
    return _tag("path", d=path, transform=place, class_="truth right" if right else "truth wrong")

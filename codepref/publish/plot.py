"""Small plots for cards and result pages, as PNG files.

The same numbers give the same bytes with the same matplotlib: nothing of the machine or the time is written.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.files import replacing

COLOURS = ("#3b6ea8", "#c4682f", "#4f8a5b", "#8a5a9e", "#8c8c8c", "#b59b2e")
SIZE = (6.4, 3.6)
DOTS_PER_INCH = 144


def line_plot(
    path: Path,
    title: str,
    labels: tuple[str, str],
    series: Mapping[str, Sequence[tuple[float, float]]],
) -> None:
    """Points joined by lines.

    Args:
        path: The PNG file; its folder is made.
        title: One line above the plot.
        labels: What the x axis and the y axis show, with units.
        series: Name -> its (x, y) points; a single series gets no legend.
    """
    figure, axes = _axes(title, labels)
    for colour, (name, points) in zip(_colours(len(series)), series.items(), strict=True):
        x, y = zip(*points, strict=True) if points else ((), ())
        axes.plot(x, y, marker="o", markersize=3.5, linewidth=1.6, color=colour, label=name)
    if len(series) > 1:
        axes.legend(frameon=False)
    _save(figure, path)


def bar_plot(
    path: Path,
    title: str,
    label: str,
    values: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """One horizontal bar a name, first on top.

    Args:
        path: The PNG file; its folder is made.
        title: One line above the plot.
        label: What the bars show, with unit.
        values: Name -> length of its bar.
        intervals: Name -> lower and upper end of its interval, where it has one.
    """
    figure, axes = _axes(title, (label, ""))
    names = list(values)
    places = list(range(len(names)))[::-1]
    axes.barh(places, list(values.values()), color=COLOURS[0], height=0.6)
    for place, name in zip(places, names, strict=True):
        if intervals and name in intervals:
            axes.plot(intervals[name], (place, place), color="#222222", linewidth=1.4)
    axes.set_yticks(places, names)
    axes.grid(visible=False, axis="y")
    _save(figure, path)


def _axes(title: str, labels: tuple[str, str]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(visible=True, color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})

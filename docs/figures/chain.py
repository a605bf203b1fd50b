"""The picture of the chain at the head of the README: one drawing, for a light and for a dark page.

python docs/figures/chain.py        # writes chain-light.svg and chain-dark.svg beside itself
"""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SANS = "-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
PASSES = ("11110", "11010", "10010", "00010")
"""The pass matrix that is drawn: a row for each code, a column for each test, the best code first."""
TITLE = (
    "A model writes codes and tests for a prompt; every code runs on every test in a sandbox; the pass matrix gives a "
    "pair of a better and a worse code; a model is trained on such pairs, evaluated before and after, and published."
)


@dataclass(frozen=True)
class Palette:
    """Colours of one scheme."""

    ink: str
    soft: str
    rule: str
    paper: str
    right: str
    wrong: str


PALETTES = {
    "light": Palette("#1f2328", "#59636e", "#c4cbd3", "#ffffff", "#0b5c7f", "#b35900"),
    "dark": Palette("#e6e9ee", "#9da7b3", "#475059", "#0d1117", "#7fc6e8", "#e8a55c"),
}


def text(x: float, y: float, words: str, kind: str = "label", anchor: str = "middle") -> str:
    """A line of text."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{words}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "box") -> str:
    """A rounded rectangle."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>'


def lines(x: float, y: float, widths: tuple[int, ...], kind: str = "line") -> str:
    """Bars that stand for lines of text."""
    return "".join(f'<path class="{kind}" d="M{x:g} {y + 8 * row:g}h{width}"/>' for row, width in enumerate(widths))


def arrow(x: float, y: float, length: float) -> str:
    """An arrow to the right."""
    end = x + length
    return f'<path class="arrow" d="M{x:g} {y:g}H{end:g}m-6 -5l6 5l-6 5"/>'


def brace(x: float, y: float, width: float, command: str) -> str:
    """A bracket below some steps, and the command that does them."""
    end = x + width
    bracket = f'<path class="rule" d="M{x:g} {y:g}v7H{end:g}v-7"/>'
    return bracket + text(x + width / 2, y + 27, command, "command")


def matrix(x: float, y: float) -> str:
    """The pass matrix: a full square for a pass, an empty one for a failure."""
    cells = []
    for row, marks in enumerate(PASSES):
        for column, mark in enumerate(marks):
            kind = "passed" if mark == "1" else "failed"
            cells.append(
                f'<rect class="{kind}" x="{x + 20 * column:g}" y="{y + 20 * row:g}" width="15" height="15" rx="2"/>'
            )
    return "".join(cells)


def building() -> list[str]:
    """The upper row: prompt, codes and tests, matrix, pair."""
    codes = [box(198, 44 + 22 * row, 62, 17) + lines(205, 52.5 + 22 * row, (46 - 8 * row,)) for row in range(4)]
    tests = [box(272, 44 + 22 * row, 46, 17) + lines(279, 52.5 + 22 * row, (32 - 4 * row,)) for row in range(4)]
    return [
        box(24, 54, 100, 66), lines(36, 70, (76, 58, 70, 40)), text(74, 152, "prompt"),
        arrow(138, 87, 40), text(158, 76, "model", "note"),
        *codes, *tests, text(258, 152, "codes and tests"),
        arrow(332, 87, 40),
        box(388, 24, 136, 112, "sandbox"), text(456, 18, "sandbox", "note"), matrix(409, 43),
        text(456, 152, "pass matrix"),
        arrow(538, 87, 40),
        text(654, 32, "chosen", "note"), box(592, 38, 124, 36, "chosen"), lines(604, 52, (92, 74), "line right"),
        text(654, 92, "rejected", "note"), box(592, 98, 124, 36, "rejected"), lines(604, 112, (84, 60), "line wrong"),
        text(654, 152, "pair"),
        brace(24, 166, 692, "codepref build"),
    ]  # fmt: skip


def using() -> list[str]:
    """The lower row: dataset, training, scores before and after, the Hub."""
    rows = [box(24, 246 + 17 * row, 100, 17) + lines(34, 254.5 + 17 * row, (34,)) for row in range(4)]
    marks = [lines(80, 254.5 + 17 * row, (32,), "line right") for row in range(4)]
    return [
        *rows, *marks, text(74, 344, "dataset"),
        arrow(138, 280, 40),
        box(198, 246, 120, 68), '<path class="curve" d="M210 262C232 264 236 298 306 302"/>',
        text(258, 344, "DPO, KTO, SFT"),
        arrow(332, 280, 40),
        bar(412, 274, 40, "before"), bar(468, 256, 58, "after"), '<path class="rule" d="M392 314H524"/>',
        text(456, 344, "score before, after"),
        arrow(538, 280, 40),
        box(592, 246, 124, 68), lines(606, 264, (60, 96, 84)), lines(606, 300, (44,), "line right"),
        text(654, 344, "the Hub, with cards"),
        brace(138, 358, 180, "codepref train"), brace(338, 358, 186, "codepref evaluate"),
        brace(544, 358, 172, "codepref publish"),
    ]  # fmt: skip


def bar(x: float, y: float, height: float, kind: str) -> str:
    """A score with its interval."""
    middle = x + 16
    whisker = f'<path class="whisker" d="M{middle:g} {y - 9:g}v18m-5 0h10m-10 -18h10"/>'
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="32" height="{height:g}"/>' + whisker


def style(palette: Palette) -> str:
    """The rules of one scheme; no background, the page shows through."""
    p = palette
    return f"""
    text {{ font-family: {SANS}; fill: {p.ink}; }}
    .label {{ font-size: 15px; }}
    .note {{ font-size: 13px; fill: {p.soft}; }}
    .command {{ font-family: {MONO}; font-size: 14px; fill: {p.soft}; }}
    .box {{ fill: none; stroke: {p.soft}; stroke-width: 1.25; }}
    .sandbox {{ fill: none; stroke: {p.soft}; stroke-width: 1.5; stroke-dasharray: 5 4; }}
    .line {{ fill: none; stroke: {p.rule}; stroke-width: 3; stroke-linecap: round; }}
    .right {{ stroke: {p.right}; }}
    .wrong {{ stroke: {p.wrong}; }}
    .chosen {{ fill: none; stroke: {p.right}; stroke-width: 2; }}
    .rejected {{ fill: none; stroke: {p.wrong}; stroke-width: 1.5; stroke-dasharray: 3 3; }}
    .passed {{ fill: {p.right}; stroke: {p.right}; stroke-width: 1.25; }}
    .failed {{ fill: none; stroke: {p.wrong}; stroke-width: 1.25; }}
    .before {{ fill: {p.rule}; }}
    .after {{ fill: {p.right}; }}
    .whisker {{ fill: none; stroke: {p.ink}; stroke-width: 1.25; }}
    .curve {{ fill: none; stroke: {p.right}; stroke-width: 2.5; stroke-linecap: round; }}
    .arrow {{ fill: none; stroke: {p.soft}; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; }}
    .rule {{ fill: none; stroke: {p.rule}; stroke-width: 1.25; }}
"""


def drawing(scheme: str) -> str:
    """The whole file for `light` or `dark`."""
    parts = "\n  ".join([*building(), *using()])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 396" width="740" height="396" role="img">\n'
        f"  <title>{TITLE}</title>\n  <style>{style(PALETTES[scheme])}  </style>\n  {parts}\n</svg>\n"
    )


if __name__ == "__main__":
    for name in PALETTES:
        (HERE / f"chain-{name}.svg").write_text(drawing(name), encoding="utf-8")

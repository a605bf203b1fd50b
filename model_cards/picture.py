"""A picture of a card as the Hub would show it: Markdown to HTML, HTML to PNG by a headless Chromium.

    python model_cards/picture.py runs/dataset/README.md card.png
    python model_cards/picture.py runs/quickstart/report.html report.png    # the first screens of a quickstart's report

Needs markdown-it-py, pygments and pillow (all part of the development set-up) and a `chromium` (Debian: apt install
chromium). The front matter is shown as the Hub shows it: a row of tags above the text.
"""

import argparse
import html
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from codepref.publish.release import front_matter  # noqa: E402

WIDTH, HEIGHT = 960, 12_000
PAGE_WIDTH, PAGE_HEIGHT = 1080, 2_260
"""Of a report: to the end of one prompt's pass matrix."""
STYLE = """
body { font: 16px/1.6 "DejaVu Sans", sans-serif; margin: 32px 40px; color: #1f2937; background: #fff }
h1, h2 { border-bottom: 1px solid #e5e7eb; padding-bottom: 4px } code { font: 13px "DejaVu Sans Mono", monospace }
:not(pre) > code { background: #f3f4f6; padding: 2px 5px; border-radius: 4px }
pre { background: #f9fafb; border: 1px solid #e5e7eb; border-radius: 8px; padding: 12px; white-space: pre-wrap }
table { border-collapse: collapse; margin: 12px 0 } th, td { border: 1px solid #e5e7eb; padding: 5px 10px }
th { background: #f9fafb } blockquote { border-left: 4px solid #e5e7eb; margin: 0; padding: 0 16px; color: #4b5563 }
img { max-width: 100% } .tag { border: 1px solid #d1d5db; border-radius: 8px; padding: 2px 8px; margin-right: 6px;
font-size: 13px; display: inline-block; margin-bottom: 6px }
"""
SHOWN = (
    "task_categories",
    "pipeline_tag",
    "library_name",
    "base_model",
    "datasets",
    "size_categories",
    "license",
    "tags",
)


def page(text: str, folder: Path) -> str:
    """The card as HTML; images are looked up in its folder."""
    from markdown_it import MarkdownIt

    data, body = front_matter(text)
    tags = [f"{key}: {item}" for key in SHOWN if key in data for item in _list(data[key])]
    row = "".join(f'<span class="tag">{html.escape(tag)}</span>' for tag in tags)
    markdown = MarkdownIt("commonmark", {"highlight": _colours}).enable("table")
    head = f'<meta charset="utf-8"><base href="{folder.resolve().as_uri()}/"><style>{STYLE}</style>'
    return f"<!doctype html>{head}<body>{row}{markdown.render(body)}"


def picture(card: Path, image: Path) -> None:
    """Writes a PNG of a card, cut below the last line."""
    from PIL import Image, ImageChops

    with tempfile.TemporaryDirectory() as folder:
        source, shot = Path(folder) / "card.html", Path(folder) / "card.png"
        source.write_text(page(card.read_text(encoding="utf-8"), card.parent), encoding="utf-8")
        shoot(source, shot, (WIDTH, HEIGHT))
        whole = Image.open(shot).convert("RGB")
        bottom = ImageChops.difference(whole, Image.new("RGB", whole.size, "white")).getbbox()[3]
        whole.crop((0, 0, WIDTH, min(bottom + 32, HEIGHT))).quantize(64).save(image, optimize=True)


def report(source: Path, image: Path) -> None:
    """Writes a PNG of the beginning of a report."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        shoot(source, Path(folder) / "page.png", (PAGE_WIDTH, PAGE_HEIGHT))
        Image.open(Path(folder) / "page.png").convert("RGB").quantize(64).save(image, optimize=True)


def shoot(source: Path, shot: Path, size: tuple[int, int]) -> None:
    """A PNG of an HTML file in a window of a size in pixels."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no chromium found; on Debian: apt install chromium")
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
        where = [f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", f"--screenshot={shot}"]
        address = source.resolve().as_uri()
        subprocess.run([browser, *flags, *where, address], check=True, capture_output=True, timeout=300)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _colours(code: str, language: str, _: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        return html.escape(code)
    return highlight(code, lexer, HtmlFormatter(nowrap=True, noclasses=True))


def main(argv: list[str] | None = None) -> int:
    """Makes one picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("card", type=Path, help="Markdown of a card, or HTML of a report")
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args(argv)
    made = report if arguments.card.suffix == ".html" else picture
    made(arguments.card, arguments.image)
    return 0


if __name__ == "__main__":
    sys.exit(main())

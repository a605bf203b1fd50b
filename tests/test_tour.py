"""The tour and the folders' own pages name files and functions that are there."""

import ast
import re

import pytest

PLACE = re.compile(r"`([\w/]+\.py)`:\s+`(\w+)`((?:,\s+`\w+`)*)")
PAGES = ("codepref/README.md", "builders/README.md", "evaluation/README.md", "model_cards/README.md")


def defined(path):
    """Names of the functions and classes of a file, those of classes included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def places(text):
    """File and name of everything a text names as `file.py`: `name`, `name`."""
    for match in PLACE.finditer(text):
        for name in (match[2], *re.findall(r"`(\w+)`", match[3])):
            yield match[1], name


def test_every_function_of_the_tour_exists(root):
    found = list(places((root / "docs" / "tour.md").read_text()))
    assert len(found) > 40
    missing = [(path, name) for path, name in found if name not in defined(root / path)]
    assert not missing


def test_a_wrong_name_would_be_seen(root):
    ((path, name),) = places("`codepref/config.py`: `not_there`")
    assert name not in defined(root / path)


def test_the_tour_names_the_stages_of_a_run(root, finished):
    from codepref.inspection.run import read_run

    text = (root / "docs" / "tour.md").read_text()
    for stage in read_run(finished).stages:
        assert f"`{stage.name}`" in text, stage.name


@pytest.mark.parametrize("page", PAGES)
def test_a_folders_page_names_every_file_and_folder_in_it(root, page):
    folder = (root / page).parent
    text = (root / page).read_text()
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")) or path.suffix in (".pyc", ".md"):
            continue
        name = path.name if path.is_file() else f"{path.name}/"
        assert f"`{name}`" in text, f"{page} does not tell what {name} is for"

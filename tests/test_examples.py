"""Every example prints what its docstring says, and the notebook what it shows."""

import json
import re
import shlex

import pytest
from pages import ROOT

from codepref import cli

SCRIPTS = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
NOTEBOOK = json.loads((ROOT / "examples" / "first_dataset.ipynb").read_text())


def run(source, names, capsys):
    exec(compile(source, "example", "exec"), names)
    return capsys.readouterr().out


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_what_it_says(name, capsys):
    source = (ROOT / "examples" / name).read_text()
    names = {"__name__": "__main__"}
    out = run(source, names, capsys)
    assert out.strip()
    assert f"    python examples/{name}" in names["__doc__"]
    assert names["__doc__"].endswith(f"\n\n{out}")


def test_the_page_names_all(root):
    page = (root / "examples" / "README.md").read_text()
    for name in [*SCRIPTS, "first_dataset.ipynb"]:
        assert f"]({name})" in page


def test_the_notebook_prints_what_it_shows(capsys, tmp_path, monkeypatch):
    """Cells are executed in order in one namespace, as a notebook does."""
    import datasets

    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    try:
        for cell in NOTEBOOK["cells"]:
            if cell["cell_type"] == "code":
                shown = ["".join(output["text"]) for output in cell["outputs"]]
                assert run("".join(cell["source"]), names, capsys) == "".join(shown)
    finally:
        datasets.enable_progress_bars()


def test_the_notebook_names_commands_and_pages_that_exist(root):
    text = "".join("".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "markdown")
    lines = re.findall(r"`(codepref \w+ --?[^`]+|codepref \w+ \w+ [^`]+)`", text)
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line)[1:]
        cli._parser(words).parse_args(words)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (root / "examples" / link).exists(), link

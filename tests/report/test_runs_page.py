"""The page of any runs: what it shows of them, how much it reads, and how it stands in a browser."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codepref import cli
from codepref.errors import CodeprefError
from codepref.report import facts
from codepref.report.page import page

import browser  # isort: skip
import report_run  # isort: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three builds, a training and an evaluation, only to be read."""
    made = tmp_path_factory.mktemp("runs") / "all"
    report_run.make(made)
    told = {
        "score": {"pass@1": {"value": 0.729, "low": 0.67, "high": 0.781}}, "benchmark": "tiny", "problems": 240,
        "samples": 240, "model": "a<b>model", "adapter": None,
    }  # fmt: skip
    for name in ("before", "after"):
        (made / name / "tiny").mkdir(parents=True)
        (made / name / "tiny" / "results.json").write_text(json.dumps({**told, "model": f"a<b>{name}"}))
    return made


def test_every_kind_of_run_is_shown(root: Path, tmp_path: Path) -> None:
    names = ("codedpo", "codeflow", "dstc", "dpo", "before/tiny", "after/tiny")
    out = tmp_path / "new" / "page.html"
    assert cli.main(["report", *(str(root / name) for name in names), "--out", str(out)]) == 0
    text = out.read_text()
    for words in ("correctness: 1 rows", "What the model was told", "Reward margin", "a&lt;b&gt;after", "72.9"):
        assert words in text
    assert "a<b>" not in text
    assert "<script" not in text


def test_an_experiments_folder_gives_its_own_page(root: Path, tmp_path: Path, capsys: Any) -> None:
    assert cli.main(["report", str(root), "--out", str(tmp_path / "page.html")]) == 0
    assert "quickstart" in (tmp_path / "page.html").read_text()


def test_what_is_no_run_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(CodeprefError, match="nowhere: no such folder"):
        page([root / "nowhere"], 3, tmp_path)
    with pytest.raises(CodeprefError, match="neither manifest.json nor stages"):
        page([tmp_path], 3, tmp_path)
    shutil.copytree(root / "before", tmp_path / "before")
    (tmp_path / "before" / "tiny" / "results.json").write_text("{}")
    with pytest.raises(CodeprefError, match=r"results.json: damaged \(KeyError: 'score'\)"):
        page([tmp_path / "before" / "tiny"], 3, tmp_path)
    (tmp_path / "before" / "tiny" / "results.json").write_text("{")
    with pytest.raises(CodeprefError, match="results.json: can not be read"):
        page([tmp_path / "before" / "tiny"], 3, tmp_path)


def test_pairs_are_spread_over_all_rows_and_read_in_batches(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "codedpo", tmp_path / "many")
    manifest = json.loads((tmp_path / "many" / "manifest.json").read_text())
    (part,) = (manifest["dataset"]["correctness"],)
    path = tmp_path / "many" / part["files"][0]["file"]
    (row,) = pq.read_table(path).to_pylist()
    rows = [{**row, "prompt_id": f"p{number}", "confidence": number / 1000} for number in range(1000)]
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(path)), path)
    part["rows"] = len(rows)
    (tmp_path / "many" / "manifest.json").write_text(json.dumps(manifest))
    text = page([tmp_path / "many"], 4, tmp_path)
    assert [f"Row {number}: p" in text for number in ("1", "334", "667", "1,000", "2")] == [True] * 4 + [False]
    assert text.count('<td class="n">100</td>') == 10  # the histogram
    assert 'href="many/README.md"' in text
    from codepref.inspection.run import read_run

    sizes = [len(batch) for batch in facts.dataset_batches(read_run(tmp_path / "many"), "correctness", "confidence")]
    assert max(sizes) == facts.BATCH < sum(sizes) == 1000


def test_it_can_be_read_on_every_screen(root: Path, tmp_path: Path) -> None:
    if None in browser.found():
        pytest.skip("needs Chromium and ChromeDriver; on Debian: apt-get install chromium chromium-driver")
    folders = [root / name for name in ("codedpo", "codeflow", "dstc", "dpo", "before/tiny", "after/tiny")]
    (tmp_path / "page.html").write_text(page(folders, 5, tmp_path))
    with browser.started(tmp_path / "profile") as window:
        window.open(tmp_path / "page.html")
        assert browser.unreadable(window) == []
        ids = window.run("return [...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))
        assert window.log("browser") == []

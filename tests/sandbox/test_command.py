"""`codepref execute`."""

import json

import pytest

from codepref import cli


def run(tmp_path, lines, *options):
    source, target = tmp_path / "cases.jsonl", tmp_path / "verdicts.jsonl"
    source.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    code = cli.main(["execute", "--input", str(source), "--output", str(target), *options])
    rows = [json.loads(line) for line in target.read_text().splitlines()] if target.exists() else None
    return code, rows


def test_verdicts_in_input_order(tmp_path):
    cases = [
        {"id": f"case {i}", "code": f"def f(x):\n    return x + {i}", "tests": ["assert f(1) == 1", "assert f(1) > 0"]}
        for i in range(5)
    ]
    code, rows = run(tmp_path, [*cases, ""], "--jobs", "2", "--timeout", "0.5")
    assert code == 0
    assert [row["id"] for row in rows] == [case["id"] for case in cases]
    assert [row["verdicts"] for row in rows] == [["passed", "passed"], *[["failed", "passed"]] * 4]
    assert all(len(row["cpu_s"]) == len(row["modes"]) == 2 and row["layers"] for row in rows)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"id": "a", "tests": []}', "'code' is missing"),
        ('{"id": 1, "code": "", "tests": []}', "'id' is missing or not a string"),
        ('{"id": "a", "code": "", "tests": [1]}', "'tests' holds something"),
        ('{"id": "a", "code": "", "tests": [], "entry_point": 1}', "'entry_point' is not"),
    ],
)
def test_bad_lines_are_named_before_any_work(tmp_path, capsys, line, complaint):
    good = {"id": "a", "code": "def f(): pass", "tests": ["assert f() is None"]}
    code, rows = run(tmp_path, [good, line])
    message = capsys.readouterr().err
    assert code == 2
    assert rows is None
    assert "cases.jsonl, line 2" in message
    assert complaint in message
    assert message.count("\n") == 1


def test_bad_options(tmp_path, capsys):
    code, _ = run(tmp_path, [], "--timeout", "0")
    assert code == 2
    assert "--timeout must be greater than 0" in capsys.readouterr().err

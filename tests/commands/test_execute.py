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


@pytest.mark.timeout(60)
def test_programs_that_read_standard_input(tmp_path):
    tests = [{"input": "2 3\n", "output": "5\n"}, {"input": "1 1\n", "any_of": ["3", "2"]}, "assert True"]
    codes = ["print(sum(map(int, input().split())))", "print(5)", "1 / 0"]
    code, rows = run(tmp_path, [{"id": text, "code": text, "tests": tests} for text in codes], "--jobs", "1")
    assert code == 0
    assert [row["verdicts"][:2] for row in rows] == [["passed", "passed"], ["passed", "failed"], ["failed", "failed"]]
    assert rows[1]["errors"][1] == "line 1: expected '3', got '5' (or 1 other outputs)"
    assert rows[2]["errors"][0] == "ZeroDivisionError: division by zero (line 1, in <module>)"
    assert {row["modes"][0] for row in rows} == {"plain"}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "the line is a list"),
        ('{"id": "a", "tests": []}', "'code' is missing"),
        ('{"id": 1, "code": "", "tests": []}', "'id' is missing or not a string"),
        ('{"id": "a", "code": "", "tests": [1]}', "tests[0] is a number"),
        ('{"id": "a", "code": "", "tests": ["", {"input": ""}]}', "tests[1]: a test has no input"),
        ('{"id": "a", "code": "", "tests": [], "entry_point": 1}', "'entry_point' is not"),
    ],
)
def test_bad_lines_are_named_before_any_work(tmp_path, capsys, line, complaint):
    good = {"id": "a", "code": "def f(): pass", "tests": ["assert f() is None"]}
    code, rows = run(tmp_path, [good, line])
    message = capsys.readouterr().err
    assert code == 2
    assert rows is None
    assert "cases.jsonl:2: " in message
    assert complaint in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (bytes(range(128, 256)) * 20, ":1: not UTF-8 text"),
        (b'{"id": "a", "code": "", "tests": []}\n\x1f\x8b\x08\x00', ":2: not UTF-8 text"),
        ('{"id": "a", "code": "", "tests": []}\n'.encode("utf-16"), ":1: not UTF-8 text"),
        (b"[" * 200_000, ":1: not usable JSON"),
        (b'{"id": "a", "code": "", "tests": [], "n": ' + b"9" * 10_000 + b"}", ":1: not usable JSON"),
        (b'{"id": "a", "code": "", "tests": {}}', "'tests' is missing or not a list"),
        (b'{"id": "a", "code": null, "tests": []}', "'code' is missing or not a string"),
        (b'{"id": "a", "code": "", "tests": [], "entry_point": 1}', "'entry_point' is not a string"),
    ],
)
def test_bytes_that_are_no_cases_get_one_line(tmp_path, capsys, data, complaint):
    source, target = tmp_path / "cases.jsonl", tmp_path / "verdicts.jsonl"
    source.write_bytes(data)
    assert cli.main(["execute", "--input", str(source), "--output", str(target)]) == 2
    message = capsys.readouterr().err
    assert complaint in message
    assert message.count("\n") == 1
    assert not target.exists()


def test_odd_but_valid_files(tmp_path):
    source, target = tmp_path / "cases.jsonl", tmp_path / "verdicts.jsonl"
    case = {"id": "twice", "code": "def f(x):\r\n    return x" + " # é" * 300_000, "tests": ["assert f(1) == 1"]}
    odd = {"id": "\ud800 \x00", "code": "def f(x):\n    return '\x00'", "tests": ["assert f(1) == '\ud800'", ""]}
    lines = [json.dumps(item, ensure_ascii=item is odd) for item in (case, case, odd)]
    source.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, "", "  "]).encode())
    assert cli.main(["execute", "--input", str(source), "--output", str(target), "--jobs", "1"]) == 0
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["twice", "twice", odd["id"]]
    assert [row["verdicts"] for row in rows] == [
        ["passed"],
        ["passed"],
        ["failed", "unjudged"],
    ]  # an empty test asks nothing


def test_nothing_to_do(tmp_path, capsys):
    code, rows = run(tmp_path, [])
    assert (code, rows) == (0, [])
    assert "holds no cases" in capsys.readouterr().err


def test_input_and_output_must_differ(tmp_path, capsys):
    source = tmp_path / "cases.jsonl"
    source.write_text('{"id": "a", "code": "", "tests": []}\n')
    assert cli.main(["execute", "--input", str(source), "--output", str(source)]) == 2
    assert "is the file of cases, too" in capsys.readouterr().err
    assert source.read_text()


@pytest.mark.parametrize(("name", "value"), [("timeout", "nan"), ("memory", "-1"), ("jobs", "100000")])
def test_numbers_out_of_range(tmp_path, capsys, name, value):
    assert run(tmp_path, [], f"--{name}", value)[0] == 2
    assert f"--{name} must be" in capsys.readouterr().err


def test_bad_options(tmp_path, capsys):
    code, _ = run(tmp_path, [], "--timeout", "0")
    assert code == 2
    assert "--timeout must be greater than 0" in capsys.readouterr().err

"""Whole programs and tests by input and output, as models answer."""

import json

import pytest

from codepref import extract
from codepref.extract import Rejected
from codepref.stdin import StdinTest, read_test

pytestmark = pytest.mark.timeout(30)
PROGRAM = "a, b = map(int, input().split())\nprint(a + b)\n"
EXAMPLE = "Input:\n```\n1 2\n```\nOutput:\n```\n3\n```\n"


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (PROGRAM, PROGRAM),
        (f"    {PROGRAM.strip().replace(chr(10), chr(10) + '    ')}\n", PROGRAM.strip() + "\n"),
        (f"Here it is:\n\n```python\n{PROGRAM}```\n\n{EXAMPLE}", PROGRAM),
        (f"{EXAMPLE}\n```python\n{PROGRAM}```\nIt prints `3`.", PROGRAM),
        (f"```\n{PROGRAM}```\n\nFor `1 2`:\n\n```\n3\n```\n", PROGRAM),
        (f"<think>print(1)?</think>\n```py\n{PROGRAM}```", PROGRAM),
        (f"First try:\n```python\nprint(1)\n```\nBetter:\n```python\n{PROGRAM}```", PROGRAM),
        (f"```python\n{PROGRAM}```\nRun it:\n```bash\necho 1 2 | python x.py\n```", PROGRAM),
        (f"```python\n{PROGRAM}", PROGRAM),
        (f"```python\n{PROGRAM}```\nand, cut off:\n```python\nprint(1)\n", PROGRAM),
        (f"The program:\n\n{PROGRAM}\nThat is all, folks.", PROGRAM),
        ("```python\ndef main():\n    import sys\n    sys.stdout.write('x')\nmain()\n```", None),
    ],
)
def test_the_program_stands_as_it_was_written(answer: str, program: str | None) -> None:
    found = extract.code(answer, "Add.", "")
    assert isinstance(found, str)
    assert found.strip() == (program or "def main():\n    import sys\n    sys.stdout.write('x')\nmain()").strip()


def test_nothing_is_cut_off_a_program() -> None:
    whole = "# a comment\nimport os\n\nprint('hello')\nif __name__ == '__main__':\n    print(1)\n"
    assert extract.code(f"```python\n{whole}```", "Say hello.", "") == whole


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("", "empty"),
        ("<think>hm", "unfinished thought"),
        ("def f(x):\n    return x\n", "no output"),
        ("```python\nx = int(input())\n```", "no output"),
        ("I can not do that.", "unparseable"),
        ("```python\nprint(\n```", "unparseable"),
        ("```\n3\n```", "no output"),
    ],
)
def test_what_is_no_program_that_prints(answer: str, rule: str) -> None:
    found = extract.code(answer, "Add.", "")
    assert isinstance(found, Rejected)
    assert found.rule == rule


def found_in(answer: str, entry_point: str = "") -> list[StdinTest | None]:
    return [read_test(text) for text in extract.tests(answer, entry_point)[0]]


@pytest.mark.parametrize(
    ("answer", "tests"),
    [
        (EXAMPLE, [("1 2\n", "3\n")]),
        (f"Test 1\n\n{EXAMPLE}\nTest 2\n\n{EXAMPLE.replace('3', '4')}", [("1 2\n", "3\n"), ("1 2\n", "4\n")]),
        ("### Sample Input 1\n\n```text\nx\n```\n\n### Sample Output 1\n\n```text\ny\n```", [("x\n", "y\n")]),
        ("```input\nx\n```\n```output\ny\n```", [("x\n", "y\n")]),
        ("**Inputs**\n```\n```\n**Outputs**\n```\n0\n```", [("", "0\n")]),
        ("Input:\n```\n1\n```\nOutput:\n```\n2", []),
        ("Output:\n```\n2\n```\nInput:\n```\n1\n```", []),
        ("```python\nprint(input())\n```\nThe output:\n```\n3\n```", []),
    ],
)
def test_blocks_after_the_words_input_and_output(answer: str, tests: list[tuple[str, str]]) -> None:
    assert found_in(answer) == [StdinTest(given, (output,)) for given, output in tests]


def test_json_is_a_test_whatever_the_entry_point_is() -> None:
    entry = {"output": "3", "input": "1 2"}
    wanted = [StdinTest("1 2", ("3",))]
    assert found_in(json.dumps(entry)) == found_in(json.dumps(entry), "f") == wanted
    assert found_in(f"Two tests:\n{json.dumps(entry)}\n{json.dumps(entry)}\n") == wanted * 2


@pytest.mark.parametrize(
    ("answer", "rule"), [("", "empty"), ("<think>hm", "unfinished thought"), ("assert f(1)", "no input and output")]
)
def test_what_is_no_test_says_why(answer: str, rule: str) -> None:
    found, (rejected,) = extract.tests(answer, "")
    assert (found, rejected.rule) == ([], rule)


def test_blocks_are_read_back_as_they_were_shown() -> None:
    for test in (StdinTest("1 2\n", ("3\n",)), StdinTest("", ("x y\n",)), StdinTest("a\n\nb\n", ("",))):
        assert found_in(f"```python\nprint(1)\n```\n\n{test.blocks()}") == [test]

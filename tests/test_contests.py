"""Sets of contest tasks in their usual shapes, made here; no file of a real set is part of the project."""

import base64
import json
import pickle
import time
import zlib

import pytest

from codepref import contests
from codepref.contests import apps, code_contests, lcb
from codepref.files import LineError
from codepref.sandbox import Job, Sandbox
from codepref.stdin import StdinTest, read_test

pytestmark = pytest.mark.timeout(60)


def test_apps_by_input_and_output() -> None:
    row = {
        "problem_id": 7,
        "question": "Add.",
        "solutions": json.dumps(["print(sum(map(int, input().split())))"]),
        "input_output": json.dumps({"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3\n", ["7"]]}),
        "url": "https://example.org/7",
    }
    task = apps(row)
    assert (task.prompt_id, task.prompt, task.entry_point) == ("7", "Add.", "")
    assert [read_test(test) for test in task.tests] == [StdinTest("1 2\n", ("3\n",)), StdinTest("3\n4", ("7",))]
    assert task.codes == ("print(sum(map(int, input().split())))",)
    assert task.source == "https://example.org/7"


@pytest.mark.parametrize("in_class", [False, True])
def test_apps_by_calls(in_class: bool) -> None:
    body = "def pair(self, values, names):\n        return (values[::-1], names[1])"
    code = f"class Solution:\n    {body}" if in_class else body.replace("self, ", "").replace("\n    ", "\n")
    row = {
        "question": "Swap.",
        "starter_code": f"{code.partition(':' if not in_class else '):')[0]}):" if in_class else "",
        "solutions": [code],
        "input_output": {
            "fn_name": "pair",
            "inputs": [[[1, 2], {"1": "a"}], [[], {"1": None}]],
            "outputs": [[[2, 1], "a"], [[[], None]]],
        },
    }
    task = apps(row)
    assert task.entry_point == ("Solution" if in_class else "pair")
    call = "Solution().pair" if in_class else "pair"
    assert task.tests[0].startswith(f"assert {call}([1, 2], {{1: 'a'}}) in ([[2, 1], 'a'], ")
    with Sandbox() as sandbox:
        cells = sandbox.run(Job("job", (code, code.replace("[::-1]", "")), task.tests, task.entry_point)).cells
    assert [[cell.verdict for cell in row] for row in cells] == [["passed", "passed"], ["failed", "passed"]]
    assert {cell.mode for row in cells for cell in row} == {"plain"}


def test_code_contests_takes_all_tests_and_python_3() -> None:
    row = {
        "name": "1_A. Sum",
        "description": "Add.",
        "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
        "private_tests": {"input": [], "output": []},
        "generated_tests": {"input": ["1 2.5\n"], "output": ["3.5\n"]},
        "solutions": {"language": [2, 3, 1], "solution": ["int main", "right", "print 1"]},
        "incorrect_solutions": {"language": [3], "solution": ["wrong"]},
    }
    task = code_contests(row)
    assert task.codes == ("right", "wrong")
    assert [read_test(test) for test in task.tests] == [
        StdinTest("1 2\n", ("3\n",)),
        StdinTest("1 2.5\n", ("3.5\n",), contests.FRACTIONS),
    ]
    assert read_test(code_contests(row, 0.0).tests[1]) == StdinTest("1 2.5\n", ("3.5\n",))
    with pytest.raises(LineError, match="files"):
        code_contests({**row, "input_file": "in.txt"})
    with pytest.raises(LineError, match="no tests"):
        code_contests({**row, "public_tests": {}, "generated_tests": {}})


def packed(value: object, protocol: int = 4) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value, protocol))).decode()


def lcb_row(private: str, kind: str = "stdin") -> dict[str, object]:
    public = [{"input": "1 2\n", "output": "3\n", "testtype": kind}]
    if kind == "functional":
        public = [{"input": '[1, 2]\n"x"', "output": "null", "testtype": kind}]
    return {
        "question_id": "abc_1",
        "question_content": "Add.",
        "starter_code": "class Solution:\n    def add(self, a, b):\n        " if kind == "functional" else "",
        "platform": "atcoder",
        "public_test_cases": json.dumps(public),
        "private_test_cases": private,
        "metadata": json.dumps({"func_name": "add"} if kind == "functional" else {}),
    }


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_private_tests_come_out_of_every_pickle_of_a_text(protocol: int) -> None:
    cases = [{"input": "é\n", "output": "5\n" * 300, "testtype": "stdin"}]
    task = lcb(lcb_row(packed(json.dumps(cases, ensure_ascii=False), protocol)))
    assert [read_test(test) for test in task.tests] == [
        StdinTest("1 2\n", ("3\n",)),
        StdinTest("é\n", ("5\n" * 300,)),
    ]
    assert (task.prompt_id, task.entry_point, task.source) == ("abc_1", "", "LiveCodeBench atcoder")
    assert lcb(lcb_row(json.dumps(cases))).tests == task.tests


def test_functional_rows_become_asserts_on_a_class() -> None:
    task = lcb(lcb_row(packed("[]"), "functional"))
    assert task.entry_point == "Solution"
    assert task.tests == ("assert Solution().add([1, 2], 'x') == None",)
    assert task.prompt == "Add.\n\n```python\nclass Solution:\n    def add(self, a, b):\n```"


class Evil:
    """What a pickle may do."""

    def __reduce__(self):
        return (print, ("this runs while it is read",))

    def __repr__(self):
        return "Evil()"


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("value", [Evil(), ["a text in a list"], 5, b"bytes", ("[]", Evil())], ids=repr)
def test_a_pickle_of_anything_else_is_refused_and_never_run(
    value: object, protocol: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LineError, match="private_test_cases can not be read"):
        lcb(lcb_row(packed(value, protocol)))
    assert capsys.readouterr().out == ""


def test_a_pickle_that_goes_on_without_an_end_is_refused_at_once() -> None:
    endless = b"\x80\x04" + b"\x94" * 50_000_000
    start = time.monotonic()
    with pytest.raises(LineError, match="a pickle that is more than a text: MEMOIZE"):
        lcb(lcb_row(base64.b64encode(zlib.compress(endless, 1)).decode()))
    assert time.monotonic() - start < 20


def test_what_is_cut_off_or_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed("[]" + " " * 5000)
    for text in (whole[:-8], whole[:-8] + "AAAAAAA=", "no base64!", packed("{}"), packed("[1]")):
        with pytest.raises(LineError):
            lcb(lcb_row(text))
    monkeypatch.setattr(contests, "MOST_BYTES", 1000)
    with pytest.raises(LineError, match="too large"):
        lcb(lcb_row(whole))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"input_output": ""}, "no tests"),
        ({"input_output": json.dumps({"inputs": ["1"], "outputs": []})}, "not as many outputs"),
        ({"input_output": "{"}, "input_output is no usable JSON"),
        ({"input_output": json.dumps({"inputs": [1], "outputs": ["1"]})}, "a test is a number"),
        ({"input_output": json.dumps({"inputs": [[1]], "outputs": [1], "fn_name": "a b"})}, "no Python name"),
        ({"input_output": json.dumps({"inputs": [[float("nan")]], "outputs": [1], "fn_name": "f"})}, "no literal"),
        ({"question": None}, "question is null"),
        ({"solutions": '{"a": 1}'}, "no list"),
    ],
)
def test_rows_that_can_not_be_used_say_why(change: dict[str, object], problem: str) -> None:
    row = {"question": "Add.", "solutions": "[]", "input_output": json.dumps({"inputs": ["1"], "outputs": ["1"]})}
    assert apps(row).tests
    with pytest.raises(LineError) as caught:
        apps({**row, **change})
    assert problem in caught.value.problem

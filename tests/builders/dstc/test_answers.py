import ast

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.chain.ask import TEMPLATES, Generation
from builders.chain.matrix import Execution
from builders.dstc.answers import AnswerPair, concatenated, joined_program, verify_pairs
from codepref import extract
from codepref.records import from_table, to_table
from codepref.sandbox import Limits
from codepref.stdin import StdinTest

from builders_dstc import pair  # isort: skip

CODE = "def f(x):\n    return x + 1\n"
FENCE = 'def f(x):\n    """\n    ```python\n    def f(x):\n        return 0\n    ```\n    """\n    return x + 1\n'
TESTS = [
    "assert f(1) == 2",
    "def test_f():\n    assert f(1) == 2\ntest_f()",
    "def f_is_right():\n    return f(1) == 2\nassert f_is_right()",
    "f_ = f\ndef f(x):\n    return 7\nassert f_(1) == 2",  # defines the entry point anew
]


def test_bare_answers_are_the_texts_themselves():
    assert concatenated(CODE, None, fenced=False) == CODE
    assert joined_program(concatenated(CODE, None, fenced=False), TESTS[0]) == f"{CODE}\n{TESTS[0]}"
    whole = concatenated(CODE, TESTS[0], fenced=False)
    assert whole == f"{CODE}\n{TESTS[0]}"
    assert joined_program(whole, TESTS[0]).startswith(whole)


def test_a_test_by_input_and_output_is_two_blocks():
    test = StdinTest("1\n", ("2\n",)).text
    blocks = "Input:\n```\n1\n```\n\nOutput:\n```\n2\n```"
    assert concatenated("print(2)\n", test) == f"```python\nprint(2)\n```\n\n{blocks}"
    assert concatenated("print(2)\n", test, fenced=False) == f"print(2)\n\n\n{blocks}"


def test_programs_are_verified_on_their_input_and_output():
    right, wrong = "print(int(input()) + 1)\n", "print(2)\n"
    tests = [StdinTest(f"{n}\n", (f"{n + 1}\n",)).text for n in (1, 2)]
    rows = [
        pair("kept", right, tests[0], wrong, tests[1]),
        pair("chosen", "1 / 0\n", tests[0], wrong, tests[1]),
        pair("rejected", right, tests[0], wrong, tests[0]),
    ]
    kept = verify_pairs(Execution(Limits(cpu_s=0.3)), to_table(rows, AnswerPair))
    assert [row.prompt_id for row in from_table(kept.table, AnswerPair)] == ["kept"]
    assert [(item.prompt_id, item.rule) for item in kept.excluded] == [
        ("chosen", "chosen fails as one program"),
        ("rejected", "rejected passes as one program"),
    ]


def test_the_code_comes_first():
    assert concatenated(CODE, TESTS[0]) == (
        "```python\ndef f(x):\n    return x + 1\n```\n\n```python\nassert f(1) == 2\n```"
    )
    assert concatenated(CODE, None) == "```python\ndef f(x):\n    return x + 1\n```"


@given(st.text("`~ \nab", max_size=30), st.text("`~ \nab", max_size=30))
def test_blocks_come_back_as_they_were(code, test):
    assert extract.fenced_blocks(concatenated(code, test)) == [code.rstrip() + "\n", test.rstrip() + "\n"]


@pytest.mark.parametrize("code", [CODE, FENCE])
@pytest.mark.parametrize("test", TESTS)
def test_the_program_is_the_blocks_in_order(code, test):
    whole = joined_program(concatenated(code, test), "not this one")
    assert ast.dump(ast.parse(whole)) == ast.dump(ast.parse(code + test))
    assert joined_program(concatenated(code, None), test) == code + "\n" + test


@pytest.mark.parametrize("code", [CODE, FENCE])
@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("talk", ["{}", "Here you are:\n\n{}\n\nThe test passes.\n"])
def test_evaluation_reads_the_function_block_alone(code, test, talk):
    assert extract.code(talk.format(concatenated(code, test)), "Write f.", "f") == code


NAMES = st.sampled_from(["g", "helper"])  # a later block that defines f itself is a correction
BODIES = st.integers(0, 99).map(lambda n: f"    return {n}\n")


@given(BODIES, st.lists(st.tuples(NAMES, BODIES), max_size=3), st.integers())
def test_no_test_block_reaches_an_evaluation(body, more, value):
    """Whatever the test block defines beside the entry point, what is graded is the first block's function."""
    code = "def f(x):\n" + body
    test = "".join(f"def {name}(x):\n{other}" for name, other in more) + f"assert f({value}) == {value}"
    assert extract.code(concatenated(code, test), "def f(x):\n", "f") == code


def test_prompts_for_evaluation_ask_for_code_alone():
    text = (TEMPLATES / "code.jinja").read_text()
    assert Generation().code_template == str(TEMPLATES / "code.jinja")
    assert "test" not in text.partition("#}")[2].lower()
    both = jinja2.Template((TEMPLATES / "code_and_test.jinja").read_text()).render(prompt="Write f.", entry_point="f")
    assert both.index("Write f.") < both.index("`f` exactly") < both.index("The second is a test of that program")


def test_pairs_that_do_not_hold_as_one_program_are_left_out():
    good, bad = "assert f(1) == 2", "assert f(1) == 3"
    shadowed = "x = f(1)\ndel f\nassert f(1) == 3"
    rows = [
        pair("right", CODE, good, CODE, bad),
        pair("chosen", CODE, bad, CODE, bad),
        pair("rejected", CODE, good, CODE, good),
        pair("loops", CODE, good, "def f(x):\n    while True:\n        pass\n", good),
        pair("silent", CODE, good, CODE, "def test_f():\n    assert f(1) == 3"),  # as a program it tests nothing
        pair("other", CODE, good, CODE, shadowed),
        pair("alone", CODE, good, CODE, bad, concatenate=False),
    ]
    shard = verify_pairs(Execution(Limits(cpu_s=0.3)), to_table(rows, AnswerPair))
    assert [row.prompt_id for row in from_table(shard.table, AnswerPair)] == ["right", "loops", "other", "alone"]
    assert [(item.prompt_id, item.rule) for item in shard.excluded] == [
        ("chosen", "chosen fails as one program"),
        ("rejected", "rejected passes as one program"),
        ("silent", "rejected passes as one program"),
    ]
    assert shard.excluded[0].detail == "chosen failed, rejected failed"

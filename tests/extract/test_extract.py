import pytest

from codepref import extract
from codepref.extract import Rejected

PROMPT = 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """Sum of xs."""\n'


def code(text, prompt=PROMPT, entry_point="total"):
    return extract.code(text, prompt, entry_point)


def runs(program):
    namespace = {}
    exec(program, namespace)
    return namespace["total"]([1, 2, 3])


@pytest.mark.parametrize(
    "text",
    [
        "    return sum(xs)\n",
        "    return sum(xs)",
        "\n    return sum(xs)\n\n\nprint(total([1]))\n",
        "    return sum(xs)\n\n\nassert total([1]) == 1\nif __name__ == '__main__':\n    import sys\n    sys.exit(1)\n",
        "    return sum(xs)\n\nThis adds them up.\n",
        "    return helper(xs)\n\n\ndef helper(xs):\n    return sum(xs)\n",
        "def total(xs):\n    return sum(xs)\n",
        "import math\n\n\ndef total(xs):\n    return math.fsum(xs)\n",
        "```python\ndef total(xs):\n    return sum(xs)\n```",
        "Sure! Here it is:\n\n```python\ndef total(xs):\n    return sum(xs)\n```\n\nIt adds the numbers.",
        "```\ndef total(xs):\n    return sum(xs)\n```",
        "```python\n    return sum(xs)\n```",
        "```bash\npip install x\n```\n```python\ndef total(xs):\n    return sum(xs)\n```",
        "```python\nprint('usage')\n```\nthen\n```python\ndef total(xs):\n    return sum(xs)\n```",
        "```python\ndef total(xs):\n    return sum(xs)\n",  # cut off before the fence closed
        "~~~python\ndef total(xs):\n    return sum(xs)\n~~~",
    ],
)
def test_the_program_in_an_answer(text):
    program = code(text)
    assert isinstance(program, str), program
    assert runs(program) == 6
    assert "print" not in program
    assert "assert" not in program
    assert "__main__" not in program


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "empty"),
        ("   \n\n", "empty"),
        ("```python\n```", "empty"),
        ("    return sum(xs\n", "unparseable"),
        ("    return '", "unparseable"),
        ("def total(xs):\n    return (", "unparseable"),
    ],
)
def test_what_cannot_be_used(text, rule):
    program = code(text)
    assert isinstance(program, Rejected)
    assert program.rule == rule


def test_an_instruction_prompt_is_not_completed():
    program = code("def other(xs):\n    return 1\n", prompt="Write a function total.")
    assert isinstance(program, Rejected)
    program = code("x = 1\n", prompt="# Write a function total.\n")
    assert program == Rejected("no entry point", "no top-level definition of total")


def test_layout_and_comments_are_kept():
    text = "# adds\nimport math\n\n\n# the one\ndef total(xs):  # here\n    # inside\n    return math.fsum(xs)\n"
    assert code(text) == text


def test_a_column_zero_comment_does_not_end_the_body():
    program = code("    s = 0\n# note\n    for x in xs:\n        s += x\n    return s\n")
    assert runs(program) == 6


def test_what_the_function_needs_stays():
    text = (
        "import sys\nfrom functools import lru_cache\nsys.setrecursionlimit(5000)\nLIMIT: int = 3\nTABLE = {}\nTABLE['a'] = LIMIT\n\n\n"
        "class Box:\n    size = LIMIT\n\n\ndef unused():\n    return 1\n\n\n@lru_cache(None)\ndef add(a, b):\n    return a + b\n\n\n"
        "def total(xs):\n    s = 0\n    for x in xs:\n        s = add(s, x)\n    return s + 0 * Box.size * TABLE['a']\n\n\n"
        "def unused_too():\n    return total([])\n\n\nresult = total([1])\nprint(result)\nfor x in [1]:\n    total([x])\n"
    )
    program = code(text)
    assert runs(program) == 6
    for kept in ("setrecursionlimit", "@lru_cache(None)", "TABLE['a'] = LIMIT", "class Box"):
        assert kept in program
    for dropped in ("unused", "result", "print", "for x in [1]"):
        assert dropped not in program


def test_conditional_imports_stay():
    text = "try:\n    from math import fsum as add\nexcept ImportError:\n    add = sum\n\n\ndef total(xs):\n    return add(xs)\n"
    assert code(text) == text


def test_a_class_may_be_the_entry_point():
    text = "class Stack:\n    def __init__(self):\n        self.items = []\n"
    assert extract.code(text, "Write a class Stack.", "Stack") == text


def test_extraction_is_idempotent():
    program = code("    return sum(xs)\n\n\nprint(total([1]))\n")
    assert code(program) == program


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("assert total([1]) == 1", ["assert total([1]) == 1"]),
        ("assert total([1]) == 1\nassert total([]) == 0\n", ["assert total([1]) == 1", "assert total([]) == 0"]),
        ("```python\nassert total([1]) == 1\n```", ["assert total([1]) == 1"]),
        ("Tests:\nassert total([1]) == 1\nassert total([2]", ["assert total([1]) == 1"]),
        ("assert total([\n    1,\n    2,\n]) == 3", ["assert total([\n    1,\n    2,\n]) == 3"]),
        (
            "    assert total([1]) == 1\n    assert total([]) == 0\nthe end",
            ["assert total([1]) == 1", "assert total([]) == 0"],
        ),
        ("xs = [1]\nassert total(xs) == 1", ["xs = [1]\nassert total(xs) == 1"]),
        ("def test_it():\n    assert total([1]) == 1", ["assert total([1]) == 1"]),
        ("assert 1 == 1", []),
        ("assert len([1]) == 1\nassert total([3]) == 3", ["assert total([3]) == 3"]),
        ("nothing here", []),
        ("", []),
    ],
)
def test_the_tests_in_an_answer(text, expected):
    found, rejected = extract.tests(text, "total")
    assert found == expected
    assert found or rejected


def test_why_tests_were_rejected():
    _, rejected = extract.tests("assert total([1]) == 1\nassert f(2) == 2\nassert total([", "total")
    assert [item.rule for item in rejected] == ["no call", "unparseable"]


def test_node_count_ignores_layout_and_comments():
    assert extract.node_count("x = 1\n") == extract.node_count("\n\n# one\nx   =   1  # two\n") > 0
    assert extract.node_count("x = f'{y}'\n") < extract.node_count("x = f'{y}' + 1\n")
    assert extract.node_count("def broken(:\n") == 0


@pytest.mark.parametrize("depth", [100, 400, 900, 3000, 20000])
def test_deep_nesting_does_not_stop_extraction(depth):
    for nested in ("(" * depth + ")" * depth, "x" + ".a" * depth, "not " * depth + "x", "1" + "+1" * depth):
        for text in (f"y = {nested}\ndef total(xs):\n    return y", f"def total(xs):\n    return {nested}"):
            assert extract.code(text, "p", "total")
        extract.tests(f"assert total({nested}) == 1", "total")


def test_hostile_text_does_not_stop_extraction():
    for text in ("(" * 5000, "\x00", "def total(xs):\n" + "\tif 1:\n" * 3, "-" * 10000 + "1", "\ud800"):
        assert isinstance(extract.code(text, "p", "total"), Rejected)
        assert extract.tests(text, "total")[0] == []


def test_programs_of_one_shape():
    one, same, other = (
        "def f(x):\n    return x+1\n",
        "def f(x): # c\n\n  return (x + 1)\n",
        "def f(x):\n    return x+2\n",
    )
    assert extract.shape(one) == extract.shape(same) != extract.shape(other)
    assert extract.shape("def f(") == "def f("
    assert extract.shape("x = 1" + "+1" * 20000)

"""Answers to a request for tests, as small chat models write them, and what becomes of them."""

import pytest

from codepref import extract
from codepref.sandbox import Job, Sandbox

R = "def add(x, y):\n    return x + y\n"
W = "def add(x, y):\n    return x - y\n"
ANSWERS = {}
ANSWERS["own_then_fn"] = (
    4,
    "```python\n"
    + W
    + """
def test_add():
    # small
    assert add(1, 2) == 3
    # zero
    assert add(0, 0) == 0, "zero"

    # negative
    assert add(-1, -1) == -2
    # big
    assert add(10**9, 1) == 1000000001
```""",
)
ANSWERS["table"] = (
    3,
    "```python\n"
    + W
    + """
def test_add():
    test_cases = [
        (1, 2, 3),  # small
        (0, 0, 0),
        (-1, 5, 4),
    ]
    for a, b, expected in test_cases:
        result = add(a, b)
        assert result == expected, f"add({a}, {b}) gave {result}"
    print("All passed")

test_add()
```""",
)
ANSWERS["table_nested"] = (
    2,
    """cases = [((1, 2), 3), ((2, 5), 7)]
for args, want in cases:
    assert add(*args) == want
""",
)
ANSWERS["dicts"] = (
    2,
    """def test_add():
    cases = [{"input": (1, 2), "expected": 3}, {"input": (4, 5), "expected": 9}]
    for case in cases:
        assert add(*case["input"]) == case["expected"]
""",
)
ANSWERS["dict_items"] = (
    2,
    """expected = {(1, 2): 3, (4, 5): 9}
for (a, b), want in expected.items():
    assert add(a, b) == want
""",
)
ANSWERS["zip"] = (
    2,
    """inputs = [(1, 2), (3, 4)]
outputs = [3, 7]
for i, (inp, out) in enumerate(zip(inputs, outputs)):
    assert add(inp[0], inp[1]) == out, f"case {i}"
""",
)
ANSWERS["param"] = (
    3,
    """import pytest
from solution import add

@pytest.mark.parametrize("a, b, want", [(1, 2, 3), (0, 0, 0), pytest.param(5, 5, 10, id="x")])
def test_add(a, b, want):
    assert add(a, b) == want
""",
)
ANSWERS["unittest"] = (
    4,
    """import unittest
class TestAdd(unittest.TestCase):
    def test_one(self):
        self.assertEqual(add(1, 2), 3)
        self.assertTrue(add(1, 1) == 2)
    def test_two(self):
        for a, b, c in [(1, 1, 2), (2, 2, 4)]:
            with self.subTest(a=a):
                self.assertEqual(add(a, b), c)
if __name__ == "__main__":
    unittest.main()
""",
)
ANSWERS["unittest_setup"] = (
    1,
    """import unittest
class TestAdd(unittest.TestCase):
    def setUp(self):
        self.a = 1
    def test_one(self):
        self.assertEqual(add(self.a, 2), 3)
if __name__ == "__main__":
    unittest.main()
""",
)
ANSWERS["check"] = (
    2,
    """def check(candidate):
    assert candidate(1, 2) == 3
    assert candidate(2, 2) == 4
check(add)
""",
)
ANSWERS["check_nocall"] = (
    2,
    """def check(candidate):
    assert candidate(1, 2) == 3
    assert candidate(2, 2) == 4
""",
)
ANSWERS["cut_mid"] = (
    2,
    "```python\n"
    + R
    + """
def test_add():
    assert add(1, 2) == 3
    # more
    assert add(5, 5) == 10
    assert add(10, 2) == 1""",
)
ANSWERS["cut_expr"] = (
    2,
    """def test_add():
    assert add(1, 2) == 3
    assert add(5, 5) == 10
    assert add(10, 2) =""",
)
ANSWERS["cut_second_fn"] = (
    2,
    """def test_a():
    assert add(1, 2) == 3
def test_b():
    assert add(5, 5) == 10
    for x in""",
)
ANSWERS["cut_prose"] = (1, "Here:\n```python\nassert add(1, 2) == 3\n```\nI also wanted to")
ANSWERS["setup"] = (
    2,
    """def test_add():
    x = 5
    y = 6
    assert add(x, y) == 11
    x = 7
    assert add(x, y) == 13
""",
)
ANSWERS["result_var"] = (
    2,
    """def test_add():
    result = add(1, 2)
    assert result == 3
    result = add(4, 2)
    expected = 6
    assert result == expected
""",
)
ANSWERS["raises"] = (
    2,
    """import pytest
def test_add():
    with pytest.raises(TypeError):
        add("a", 1)
    assert add(1, 1) == 2
""",
)
ANSWERS["try"] = (
    2,
    """def test_add():
    assert add(1, 1) == 2
    try:
        add("a", 1)
        assert False
    except TypeError:
        pass
""",
)
ANSWERS["helper_call"] = (
    2,
    """def check_case(a, b, want):
    got = add(a, b)
    assert got == want, got
check_case(1, 2, 3)
check_case(5, 2, 7)
""",
)
ANSWERS["main"] = (
    2,
    """def main():
    assert add(1, 2) == 3
    assert add(2, 2) == 4
if __name__ == "__main__":
    main()
""",
)
ANSWERS["guard_asserts"] = (
    2,
    """if __name__ == "__main__":
    assert add(1, 2) == 3
    assert add(2, 2) == 4
""",
)
ANSWERS["import_own"] = (1, "from your_module import add\n\nassert add(1, 2) == 3\n")
ANSWERS["class_own"] = (
    1,
    "class Solution:\n    def add(self, x, y):\n        return x - y\nadd = Solution().add\nassert add(1, 2) == 3\n",
)
ANSWERS["lambda_own"] = (1, "add = lambda x, y: x - y\nassert add(1, 2) == 3\n")
ANSWERS["loop_range"] = (1, "for i in range(5):\n    assert add(i, 1) == i + 1\n")
ANSWERS["random"] = (
    1,
    """import random
def test_random():
    for _ in range(10):
        a, b = random.randint(0, 9), random.randint(1, 9)
        assert add(a, b) == a + b
""",
)
ANSWERS["ret_bool"] = (
    2,
    """def test_add():
    assert add(1, 2) == 3
    assert add(2, 2) == 4
    return True
print(test_add())
""",
)
ANSWERS["listed"] = (2, "1. `assert add(1, 2) == 3`\n2. `assert add(2, 2) == 4`\n")
ANSWERS["listed2"] = (2, "1. assert add(1, 2) == 3\n- assert add(2, 2) == 4\n")
ANSWERS["think"] = (
    1,
    "<think>\nassert add(1, 2) == -1\n```python\nassert add(9, 9) == 0\n```\n</think>\nassert add(1, 2) == 3\n",
)
ANSWERS["think_cut"] = (0, "<think>\nassert add(1, 2) == 3\n")
ANSWERS["doc_fn"] = (1, 'def test_add():\n    """Doc."""\n    assert add(\n        1,\n        2,\n    ) == 3\n')
ANSWERS["async"] = (1, "import asyncio\nasync def test_add():\n    assert add(1, 2) == 3\n")
ANSWERS["two_blocks"] = (
    2,
    "```python\n" + W + "```\nTests:\n```python\nassert add(1, 2) == 3\nassert add(2, 2) == 4\n```\n",
)
ANSWERS["table_block"] = (
    2,
    "```python\nCASES = [(1, 2, 3), (3, 3, 6)]\n```\nThen\n```python\nfor a, b, c in CASES:\n    assert add(a, b) == c\n```\n",
)
ANSWERS["all"] = (1, "assert all(add(i, 1) == i + 1 for i in range(5))")
ANSWERS["print_tests"] = (0, "print(add(1, 2))  # 3\n")
ANSWERS["u2028"] = (1, 's = "a\u2028b"\nassert add(1, len(s)) == 4\n')
ANSWERS["semis"] = (2, "assert add(1, 2) == 3; assert add(2, 2) == 4\n")
ANSWERS["comment_tail"] = (2, "assert add(1, 2) == 3  # small\nassert add(0, 2) == 2  # it's 2\n")
ANSWERS["nested_fn"] = (
    1,
    "def test_add():\n    def inner(a):\n        assert add(a, 1) == a + 1\n    inner(1)\n    inner(2)\n",
)
ANSWERS["cases_if"] = (
    2,
    """def test_add():
    for a, b, c in [(1, 2, 3), (2, 2, 4)]:
        if a > 0:
            assert add(a, b) == c
""",
)
ANSWERS["global_shadow"] = (
    1,
    """x = 1
def f(n): return n + x
def test_add():
    x = 5
    assert add(x, f(1)) == 7
""",
)


@pytest.fixture(scope="module")
def cells():
    """Cells of a right and a wrong program on the tests of every answer."""
    found = {name: extract.tests(text, "add")[0] for name, (_, text) in ANSWERS.items()}
    jobs = [Job(name, (R, W), tuple(tests), "add") for name, tests in found.items() if tests]
    with Sandbox() as sandbox:
        return {matrix.job_id: matrix.cells for matrix in sandbox.run_many(jobs)}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_tests_of_an_answer(name, cells):
    count, text = ANSWERS[name]
    tests, rejected = extract.tests(text, "add")
    assert len(tests) == count
    assert tests or rejected
    if tests:
        right, wrong = cells[name]
        assert [cell.verdict for cell in right] == ["passed"] * count
        assert any(cell.verdict != "passed" for cell in wrong)


def test_a_table_becomes_assertions_with_literals():
    text = 'cases = [((1, 2), 3)]\nfor args, want in cases:\n    got = add(*args)\n    assert got == want, f"{got}"\n'
    assert extract.tests(text, "add")[0] == ["assert add(1, 2) == 3"]


def test_a_table_that_is_computed_stays_a_loop():
    text = "cases = [(n, n) for n in range(3)]\nfor a, b in cases:\n    assert add(a, b) == 2 * a\n"
    assert extract.tests(text, "add")[0] == [text.rstrip()]


def test_a_table_that_is_changed_stays_a_loop():
    text = "cases = [(1, 2)]\ncases.append((3, 4))\nfor a, b in cases:\n    assert add(a, b) == a + b\n"
    (test,) = extract.tests(text, "add")[0]
    assert "append" in test


def test_what_a_cut_answer_says_last_is_no_test():
    text = "```python\nassert add(1, 2) == 3\nassert add(60, 60) == 12"
    assert extract.tests(text, "add")[0] == ["assert add(1, 2) == 3"]


def test_the_answers_own_copy_is_never_tested():
    text = "```python\ndef add(x, y):\n    return 7\n\nassert add(3, 4) == 7\n```"
    assert extract.tests(text, "add")[0] == ["assert add(3, 4) == 7"]


def test_tests_in_the_body_of_the_function_under_test():
    text = "def add(x, y):\n    # small\n    assert add(1, 2) == 3\n    assert add(x, y) == 0\n    assert isinstance(x, int)\n"
    assert extract.tests(text, "add")[0] == ["assert add(1, 2) == 3"]

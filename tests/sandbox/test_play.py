"""A test that is played says what plain Python says of code and test in one namespace, and outlives any answers."""

import itertools
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playing import answers_to, judged, undisturbed
from straight_lines import CODE, straight_line_test
from values import values

from codepref.sandbox import play, referee
from codepref.sandbox.play import Script
from codepref.sandbox.worker.writing import encode

STATUSES = range(play.UNREADABLE + 1)


@pytest.fixture(autouse=True)
def _undisturbed():
    with undisturbed():
        yield


def python(code, test):
    """Verdict and name of the exception in plain Python."""
    namespace = {"__name__": "solution"}
    exec(code, namespace)
    try:
        exec(test, namespace)
    except Exception as error:
        return "failed", type(error).__name__
    return "passed", ""


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_straight_line_tests_come_out_as_in_plain_python(seed):
    test = straight_line_test(Random(seed))
    result = judged(CODE, test, how="play")
    if result.kind != "blind":
        assert (result.kind, result.verdict, result.error.partition(":")[0]) == ("play", *python(CODE, test)), test


def test_straight_line_tests_are_seldom_blind():
    """Else the property above would say little."""
    found = [judged(CODE, straight_line_test(Random(seed)), how="play") for seed in range(60)]
    verdicts = [result.verdict for result in found]
    assert verdicts.count("passed") > 5
    assert verdicts.count("failed") > 20
    assert sum(result.kind == "blind" for result in found) < 20


OBJECTS = """
import collections
class Own(Exception):
    def __init__(self, code):
        super().__init__(f"code {code}")
        self.code = code
class Stack:
    limit = 3
    def __init__(self, items=()):
        self.items = list(items)
    def push(self, x):
        if len(self.items) == self.limit:
            raise Own(7)
        self.items.append(x)
        return self
    @property
    def top(self):
        return self.items[-1]
    def __len__(self):
        return len(self.items)
    def __iter__(self):
        return iter(self.items)
    def __getitem__(self, k):
        return self.items[k]
    def __contains__(self, x):
        return x in self.items
    def __eq__(self, other):
        return isinstance(other, Stack) and self.items == other.items
    def __repr__(self):
        return f"Stack({self.items})"
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.items.clear()
Pair = collections.namedtuple("Pair", "a b")
def f(x): return Pair(x, [x])
def gen(n):
    for i in range(n):
        got = yield i
def groups(items):
    d = collections.defaultdict(list)
    for i in items:
        d[i % 2].append(i)
    return d
def shared(n):
    row = [0] * n
    return [row, row]
def default(x, seen=[]):
    seen.append(x)
    return seen
def add(n): return lambda x: x + n
class Text(str):
    def shout(self): return self.upper() + "!"
def text(x): return Text(x)
async def later(x): return x
"""
RIGHT = [
    "s = Stack([1]).push(2)\nassert len(s) == 2 and s.top == 2 and list(s) == [1, 2] and s[0] == 1 and 2 in s",
    "s = Stack()\nfor i in range(3):\n    s.push(i)\ntry:\n    s.push(9)\n    assert False\nexcept Exception as e:\n    assert e.code == 7 and str(e) == 'code 7'",
    "s = Stack([1])\nassert repr(s) == 'Stack([1])' and f'{s}' == str(s)",
    "with Stack([1]) as s:\n    assert len(s) == 1\nassert len(s) == 0",
    "s = Stack()\ns.limit = 1\ns.push(1)\ntry:\n    s.push(2)\nexcept Exception:\n    s = None\nassert s is None",
    "assert Stack.limit == 3 and hasattr(Stack, 'push') and not hasattr(Stack([]), 'pull') and isinstance(Stack(), Stack)",
    "p = f(1)\nassert p == (1, [1]) and p.a == 1 and p._asdict() == {'a': 1, 'b': [1]} and isinstance(p, tuple)",
    "a, b = f(2)\nassert (a, b) == (2, [2])",
    "g = gen(3)\nassert next(g) == 0 and next(g) == 1 and next(g) == 2 and next(g, None) is None",
    "g = gen(2)\nassert list(zip(g, 'abc')) == [(0, 'a'), (1, 'b')]",
    "assert dict(groups([1, 2, 3])) == {1: [1, 3], 0: [2]} == groups([1, 2, 3])",
    "rows = shared(2)\nrows[0][0] = 1\nassert rows == [[1, 0], [1, 0]] and rows[0] is rows[1]",
    "assert default(1) == [1] and default(2) == [1, 2] and default(3) is default(4)",
    "assert add(1)(2) == 3 and list(map(add(1), [1, 2])) == [2, 3]",
    "t = text('ab')\nassert t == 'ab' and t.upper() == 'AB' and t.shout() == 'AB!' and t + 'c' == 'abc' and len(t) == 2",
    "s = Stack([1])\ns.items.append(5)\nassert repr(s) == 'Stack([1, 5])' and s.top == 5",
    "default(1).append(5)\nassert default(2) == [1, 5, 2]",
    "d = groups([1, 2])\nd[1].append(3)\nd[5].append(4)\nassert d == {1: [1, 3], 0: [2], 5: [4]}",
    "import asyncio\nassert asyncio.run(later(2)) == 2",
    "match f(1):\n    case (a, [b]):\n        assert a == b == 1",
    "r = f(1)\nif isinstance(r, tuple):\n    assert r.a == 1",
    "try:\n    Stack([1]).push(2).push(3).push(4)\nexcept Exception as e:\n    assert e.code == 7",
    "class Mine:\n    pass\nassert Stack([1]) != Mine() and not Stack() == 1",
    "x = Stack([1])\ny = x\nassert x is y and x is not Stack([1]) and x == Stack([1])",
    "n = 0\nfor i in gen(5):\n    if i == 3:\n        break\n    n += i\nassert n == 3",
    "async def main():\n    return await later(1) + await later(2)\nasync def test():\n    assert await main() == 3",
    "d = {}\nd[text('k')] = f(1)\nassert d == {'k': (1, [1])}",
    "assert [x.top for x in map(Stack, [[1], [2]])] == [1, 2]",
    "assert sorted([Stack([2]), Stack([1])], key=lambda s: s.top)[0].top == 1",
    "assert max(Stack([1, 5, 2])) == 5 and sum(Stack([1, 2])) == 3 and sorted(Stack([2, 1])) == [1, 2]",
    "try:\n    Stack()[5]\nexcept IndexError as e:\n    message = str(e)\nassert message == 'list index out of range'",
]  # fmt: skip


@pytest.mark.parametrize("test", RIGHT)
def test_objects_stand_for_the_candidates_own(test):
    exec(f"{OBJECTS}\n{test}", {"__name__": "solution"})
    result = judged(OBJECTS, test, how="play")
    assert (result.kind, result.verdict) == ("play", "passed"), result.error


@pytest.mark.parametrize(
    "test",
    [
        "s = Stack([1])\nassert s.top == 2", "assert Stack([1]) == [1]", "assert f(1).b == [2]", "assert len(Stack()) == 1",
        "g = gen(3)\nassert next(g) == 1", "assert shared(1) == [[0], [1]]", "assert text('ab').shout() == 'ab!'",
        "assert add(1)(2) == 4", "assert Stack([1]) in [1, 2]", "assert 5 in Stack([1])", "assert Stack() is Stack()",
    ],
)  # fmt: skip
def test_and_fail_where_they_are_wrong(test):
    result = judged(OBJECTS, test, how="play")
    assert (result.kind, result.verdict, result.error) == ("play", "failed", "AssertionError: ")


def test_an_own_class_that_decides_is_named():
    assert judged(OBJECTS, "x = Stack([1])\nassert x == Stack([1])").own
    assert judged(OBJECTS, "x = Stack([1])\nassert 1 in x").own
    assert not judged(OBJECTS, "x = Stack([1])\nassert x.top == 1").own


@pytest.mark.parametrize(
    "test",
    [
        "", "x = 1\nassert x == 1", "f(1)", "x = f(1)\nx = 2\nassert x == 2", "print(f(1))",
        "for i in range(3):\n    f(i)", "try:\n    assert f(1) == 5\nexcept AssertionError:\n    pass",
        "class A:\n    def b(self):\n        assert f(1) == 2",
    ],
)  # fmt: skip
def test_blind(test):
    assert judged(CODE, test, how="play").kind == "blind"


def test_a_function_that_its_author_forgot_to_call_is_called():
    assert judged(CODE, "def helper():\n    assert f(1) == 2\n1", how="play").verdict == "passed"
    assert judged(CODE, "def helper():\n    assert f(1) == 3\n1", how="play").verdict == "failed"


def test_what_can_not_be_handed_over_can_not_be_played():
    result = judged(CODE, "k = 3\ntwice(lambda x: k)\nassert f(1) == 2", how="play")
    assert (result.kind, result.error) == ("official", "Inseparable: function")
    assert judged(CODE, "class Mine: pass\nassert twice(Mine())", how="play").kind == "official"


def test_a_loop_over_cases_takes_few_rounds():
    test = "for x in range(300):\n    assert f(x) == x + 1"
    outcome, rounds = referee.rehearse(test, "f"), 0
    while outcome.status == play.ASKS:
        rounds += 1
        answers = answers_to(CODE, outcome.operations)
        outcome = play.play(Script(test, "f"), outcome.operations, answers, False)
    assert outcome.status == play.PASSED
    assert rounds <= 8


def test_a_process_that_ended_early_may_have_answered_enough():
    test = "a = f(1)\nb = f(2)\nassert a == 2\nassert b == 3"
    operations = referee.rehearse(test, "f").operations
    answers = answers_to(CODE, operations)
    script = Script(test, "f")
    assert play.play(script, operations, answers, True).status == play.PASSED
    assert play.play(script, operations, answers[:1], True).status == play.ASKS
    wrong = Script("a = f(1)\nassert a == 5\nb = f(2)", "f")
    operations = referee.rehearse("a = f(1)\nassert a == 5\nb = f(2)", "f").operations
    assert play.play(wrong, operations, answers_to(CODE, operations)[:1], True).status == play.FAILED


def test_a_test_without_end_is_stopped():
    outcome = play.play(Script("x = 0\nwhile f(x) is not None:\n    x += 1\nassert x", "f"), (), (), False)
    assert outcome.status == play.ASKS
    assert len(outcome.operations) <= 2 * play.FIRST_GUESSES


def test_answers_to_other_operations_are_not_taken():
    test = "x = 2\nassert f(x) == 3"
    (operation,) = referee.rehearse(test, "f").operations
    (other,) = referee.rehearse("x = 3\nassert f(x) == 3", "f").operations
    (answer,) = answers_to(CODE, (operation,))
    assert play.play(Script(test, "f"), [operation], [answer], False).status == play.PASSED
    assert play.play(Script(test, "f"), [other], [answer], False).status == play.ASKS


TESTS = [
    "x = f(2)\nassert x == 3", "for i in range(3):\n    assert f(i) == i + 1", "g = up_to(2)\nassert next(g) == 0\nassert list(g)",
    "a = [1]\npush(a, 2)\nassert a == [1, 2] and last() is a", "try:\n    inverse(0)\n    assert False\nexcept ZeroDivisionError as e:\n    assert str(e)",
    "x = pairs([1])\nassert x[1][0] == 1 and abs(x[1][0] - 1) < 1e-6", "import math\nassert math.floor(inverse(2)) == 0",
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(TESTS), st.data())
def test_damaged_answers_never_raise(test, data):
    """What a process that was taken over may send: cut off, mutated, of another operation, or any value at all."""
    operations = referee.rehearse(test, "f").operations
    answers = [bytearray(answer) for answer in answers_to(CODE, operations)]
    place = data.draw(st.integers(0, len(answers) - 1))
    damage = data.draw(st.sampled_from(["bytes", "value", "cut", "swap", "message"]))
    if damage == "bytes" and answers[place]:
        answers[place][data.draw(st.integers(0, len(answers[place]) - 1))] = data.draw(st.integers(0, 255))
    elif damage == "value":
        answers[place] = bytearray(encode((data.draw(st.integers(0, 2)), data.draw(values), ())))
    elif damage == "cut":
        del answers[place][data.draw(st.integers(0, len(answers[place]))) :]
    elif damage == "swap":
        answers[place] = data.draw(st.sampled_from(answers))
    else:
        answers[place] = bytearray(data.draw(st.binary(max_size=40)))
    outcome = play.play(Script(test, "f"), operations, [bytes(answer) for answer in answers], data.draw(st.booleans()))
    assert outcome.status in STATUSES
    assert isinstance(play.packed(outcome), bytes)


OBJECT = b"o\1\0\0\0\1\0\0\0T"


@pytest.mark.parametrize(("flags", "test"), list(itertools.product([0, 1, 2, 4, 8, 16, 255], TESTS)))
def test_objects_of_any_flags_never_raise(flags, test):
    answer = b"(\3\0\0\0i\0\0\0\0" + OBJECT + flags.to_bytes(4, "little") + b"(\0\0\0\0"
    operations = referee.rehearse(test, "f").operations
    assert play.play(Script(test, "f"), operations, [answer] * len(operations), False).status in STATUSES


def test_an_answer_that_claims_an_object_of_the_judge_is_only_that_object():
    """A candidate may name the test's own list by its number; it gets nothing that the test did not give it."""
    test = "secret = [271828]\na = [1]\nassert f(a) == secret"
    (operation,) = referee.rehearse(test, "f").operations
    for number in range(0, 20, 2):
        answer = b"(\3\0\0\0i\0\0\0\0r" + number.to_bytes(4, "little") + b"(\0\0\0\0"
        assert play.play(Script(test, "f"), [operation], [answer], False).status != play.PASSED

"""Tests by input and output: their text, what counts as right, and what is said where it is wrong."""

import json
import time
import tracemalloc

import pytest

from codepref.files import LineError
from codepref.stdin import StdinTest, given_test, read_test, text_of

pytestmark = pytest.mark.timeout(30)


def one(output: str, tolerance: float = 0.0) -> StdinTest:
    return StdinTest("", (output,), tolerance)


def test_text_is_canonical_and_read_back() -> None:
    test = StdinTest("2 3\n", ("5\n",))
    assert test.text == '{"input": "2 3\\n", "output": "5\\n"}'
    for entry in (test, StdinTest("é", ("a", "b"), 1e-6), StdinTest("", ("",))):
        assert read_test(entry.text) == entry
    assert read_test('{ "output":"5\\n",\n"input":"2 3\\n" }') == test


@pytest.mark.parametrize("text", ["assert f({}) == {}", "{}", '{"input": 1, "output": "2"}', "{1: 2}", "[" * 9999, ""])
def test_other_texts_are_none(text: str) -> None:
    assert read_test(text) is None


def test_deep_json_is_none() -> None:
    assert read_test('{"input": ' + "[" * 100_000) is None


@pytest.mark.parametrize(
    ("wanted", "printed"),
    [
        ("5\n", "5"),
        ("5", "5  \n\n"),
        ("a b\nc", "a b  \nc\n"),
        ("a b\nc", "a\nb c"),
        ("5\n", "5\r\n"),
        ("", "\n"),
    ],
)
def test_layout_does_not_count(wanted: str, printed: str) -> None:
    assert one(wanted).difference(printed) == ""


@pytest.mark.parametrize(
    ("wanted", "printed", "said"),
    [
        ("5\n7\n", "5\n8\n", "line 2: expected '7', got '8'"),
        ("5\n7\n", "5\n", "line 2: expected '7', got nothing more"),
        ("5\n", "5\n6\n", "line 2: expected nothing more, got '6'"),
        ("5", "", "line 1: expected '5', got nothing more"),
        ("5", "05", "line 1: expected '5', got '05'"),
        ("ab", "a b", "line 1: expected 'ab', got 'a b'"),
        ("7", "７", "line 1: expected '7', got '７'"),
        ("0.5", "0.5000001", "line 1: expected '0.5', got '0.5000001'"),
    ],
)
def test_the_first_difference_is_told(wanted: str, printed: str, said: str) -> None:
    assert one(wanted).difference(printed) == said


def test_long_lines_are_trimmed_around_the_difference() -> None:
    said = one("x" * 500 + "7" + "y" * 500).difference("x" * 500 + "8" + "y" * 500)
    assert len(said) < 200
    assert "7y" in said
    assert "8y" in said
    assert said.count("...") == 4


def test_numbers_within_a_tolerance() -> None:
    test = one("0.3333 ok 1000000.5\n", 1e-3)
    assert test.difference("0.33331 ok 1000900") == ""
    assert test.difference("0.33331 ok 1002000").startswith("line 1: expected")
    assert test.difference("0.33331 OK 1000000.5").startswith("line 1: expected")
    assert one("1", 0.5).difference("nan")
    assert one("1", 0.5).difference("1_0")
    assert one("1e999", 0.5).difference("1e998")


def test_whole_numbers_are_exact_whatever_the_tolerance() -> None:
    large = "9007199254740993"
    assert one(large, 1.0).difference("9007199254740992")
    assert one(large, 1.0).difference(f"+0{large}") == ""
    assert one("-0", 1e-9).difference("0") == ""
    assert one("-7", 1e-9).difference("7")
    assert one("2", 1e-6).difference("2.0000001") == ""
    assert one("2000000", 1e-6).difference("2000000.5")


def test_a_number_too_large_for_a_float_is_not_every_number() -> None:
    huge = f"1{'0' * 400}.5"
    assert one(huge, 1e-3).difference("5")
    assert one(huge, 1e-3).difference(huge[:-2]) == ""
    assert one("1e400", 1e-3).difference("7e401")
    assert one("100000000000000001", 1e-9).difference("1e17")
    assert one("1.5", 1e-9).difference("1e999999999999999999")
    assert one("1.5", 1e-9).difference("1e9999999999999999999")


def test_what_is_printed_beyond_the_right_output_is_not_taken_apart() -> None:
    """Millions of numbers, on a line or on lines of their own, are not held one by one beside the one expected."""
    for printed in ("10 " * 1_000_000, "10\n" * 1_000_000):
        for test in (StdinTest("", ("11",), by_line=True), one("11", 0.5)):
            tracemalloc.start()
            assert test.difference(printed).startswith("line 1: expected '11', got '10")
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert most < 40_000_000 or not test.by_line


def test_a_word_that_goes_on_for_ever_is_no_number() -> None:
    start = time.monotonic()
    assert one("1.5", 1e-3).difference("1" * 1_000_000 + "x")
    assert time.monotonic() - start < 5


def test_any_of_several_outputs() -> None:
    test = StdinTest("", ("1 2", "2 1"))
    assert test.difference("2 1") == ""
    assert test.difference("2 2") == "line 1: expected '1 2', got '2 2' (or 1 other outputs)"


def test_blocks_survive_fences_and_nothing() -> None:
    assert one("5").blocks() == "Input:\n```\n```\n\nOutput:\n```\n5\n```"
    assert one("```\nx").blocks().endswith("````\n```\nx\n````")
    assert one("x" * 50).blocks(10).endswith("x" * 10 + "\n...\n```")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ([], "a test is a list"),
        ({"input": "1"}, "not one of output and any_of"),
        ({"input": "1", "output": "1", "any_of": ["1"]}, "not one of output and any_of"),
        ({"input": "1", "outputs": "1"}, "unknown key 'outputs'"),
        ({"input": "1", "any_of": []}, "any_of is no list"),
        ({"input": 1, "output": "1"}, "input is a number"),
        ({"input": "1", "output": "1", "tolerance": -1}, "tolerance is -1"),
        ({"input": "1", "output": "1", "tolerance": True}, "tolerance is True"),
        ({"input": "1", "output": "1", "tolerance": 10**400}, "tolerance is 1"),
        ({"input": "1", "output": "\ud800"}, "surrogate"),
    ],
)
def test_bad_entries_say_what_is_wrong(entry: object, problem: str) -> None:
    with pytest.raises(LineError, match=r".") as caught:
        given_test(entry)
    assert problem in caught.value.problem
    assert caught.value.remedy


def test_items_of_files() -> None:
    assert text_of("assert f(1) == 2", "tests[0]") == "assert f(1) == 2"
    assert text_of({"output": "1", "input": "2"}, "tests[0]") == '{"input": "2", "output": "1"}'
    assert text_of(json.dumps({"output": "1", "input": "2"}), "tests[0]") == '{"input": "2", "output": "1"}'
    with pytest.raises(LineError, match=r"tests\[3\]: a test has"):
        text_of({"input": "2"}, "tests[3]")


@pytest.mark.parametrize(
    ("wanted", "printed", "right"),
    [
        ("5\n", "  5 \n\n", True),
        ("1\n\n2", "1\n2", False),
        ("1\n2", "1 2", False),
        ("1", "1\n2", False),
        ("1", "1.0", True),
        ("1000", "1e3", True),
        ("1000", "1_000", True),
        ("0.3", "0.30000000000000004", False),
        ("50000000000000000", "50000000000000001", False),
        ("1 2", "1   02", True),
        ("a b", "a  b", False),
        ("1 a", "1.0 a", False),
        ("YES", "Yes", False),
        ("nan", "nan", True),
        ("nan 1", "nan  1", False),
        ("sNaN 1", "sNaN  1", False),
        ("inf", "Infinity", True),
        ("1\r\n2\r\n", "1\n2\n", True),
        ("", "\n", True),
        ("1", "", False),
    ],
)
def test_by_line_is_upstreams_rule(wanted: str, printed: str, right: bool) -> None:
    """Compared with the checker of LiveCodeBench@28fef95, on these and on 200,000 random pairs."""
    assert (StdinTest("", (wanted,), by_line=True).difference(printed) == "") is right


def test_by_line_is_part_of_the_text_and_says_where() -> None:
    test = StdinTest("", ("1\n2",), by_line=True)
    assert test.text == '{"input": "", "output": "1\\n2", "by_line": true}'
    assert read_test(test.text) == test
    assert test.difference("1\n3") == "line 2: expected '2', got '3'"
    assert test.difference("1") == "line 2: expected '2', got nothing more"
    for entry in ({"by_line": 1}, {"by_line": True, "tolerance": 0.1}):
        with pytest.raises(LineError, match="by_line"):
            given_test({"input": "", "output": "", **entry})


@pytest.mark.parametrize("number", ["9" * 2_000_000, "1e999999999", "1e999999999999999999"])
def test_by_line_takes_no_time_for_what_a_program_may_print(number: str) -> None:
    started = time.process_time()
    StdinTest("", (number + "0",), by_line=True).difference(number)
    assert time.process_time() - started < 5

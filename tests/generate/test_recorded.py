import gzip
import json
import tracemalloc

import pytest

from codepref.generate.recorded import VERSIONS, Recording, RecordingError, read_recordings

ROW = {
    "prompt_id": "p",
    "prompt": "Write f.",
    "entry_point": "f",
    "codes": ["def f(): pass"],
    "tests": ["assert f() is None"],
}


def write(path, *lines):
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def row(**changes):
    return {**ROW, **changes}


def problem_on_line_2(tmp_path, line):
    path = write(tmp_path / "r.jsonl", ROW, line)
    with pytest.raises(RecordingError) as caught:
        read_recordings(path)
    good, bad = read_recordings(path, skip_bad=True)
    assert [r.prompt_id for r in good] == ["p"]
    assert [b.line for b in bad] == [2]
    assert str(caught.value) == str(bad[0])
    assert str(bad[0]).startswith(f"{path}:2: ")
    assert "\n" not in str(bad[0])
    assert bad[0].remedy
    return str(bad[0])


def test_good_lines_by_prompt_id_with_optional_fields(tmp_path):
    second = row(prompt_id="q", codes=["", "x = 'é\\u0000'"], source="s", licence="MIT", generator="g")
    good, bad = read_recordings(write(tmp_path / "r.jsonl", second, "", ROW))
    assert bad == []
    assert list(good) == [
        Recording("p", "Write f.", "f", ("def f(): pass",), ("assert f() is None",)),
        Recording("q", "Write f.", "f", ("", "x = 'é\\u0000'"), ("assert f() is None",), "s", "MIT", "g"),
    ]


def test_examples_are_single_tests(tmp_path):
    given = ["assert f() == 1\nassert f() is not None", "assert f() == 1"]
    (found,), _ = read_recordings(write(tmp_path / "r.jsonl", row(examples=given)))
    assert found.examples == ("assert f() == 1", "assert f() is not None")
    programs = {**ROW, "entry_point": None, "tests": [{"input": "1", "output": "2"}]}
    (found,), _ = read_recordings(write(tmp_path / "s.jsonl", programs | {"examples": [{"input": "3", "output": "4"}]}))
    assert len(found.examples) == 1


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        ("assert f() == 1", "examples is a string; write a list of tests that are known to be right"),
        (["f() gives 1"], "examples[0] is no test: no assert"),
        (["assert f() == 1", "assert g() == 1"], "examples[1] is no test: no call"),
        ([3], "examples[0] is"),
        (["assert f() == 1", {"output": 1}], "examples[1]"),
        ([{"input": "1", "output": "2"}], "examples[0] is by input and output; write an assert on f"),
    ],
)
def test_bad_examples_are_named(tmp_path, examples, words):
    assert words in problem_on_line_2(tmp_path, row(prompt_id="q", examples=examples))


@pytest.mark.parametrize("name", ["r.jsonl.gz", "r.jsonl"])
def test_gzip_is_known_by_its_content(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    assert [r.prompt_id for r in read_recordings(path)[0]] == ["p"]


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\r\n")
    assert len(read_recordings(path)[0]) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{not json}", ["not JSON", "column 2", "one JSON object per line"]),
        ("[1]", ["the line is a list", "one JSON object per line"]),
        ("[" * 100_000, ["not usable JSON"]),
        ('{"prompt_id": ' + "1" * 5000 + "}", ["not usable JSON"]),
        (row(prompt_id="q", code=["x"]), ["unknown key 'code'", "known: "]),
        (
            {**{k: v for k, v in row(prompt_id="q").items() if k != "codes"}, "code": ["x"]},
            ["unknown key 'code'", "did you mean 'codes'?"],
        ),
        (row(prompt_id="q", license="MIT"), ["unknown key 'license'", "did you mean 'licence'?"]),
        ({"prompt_id": "q", "prompt": "x", "entry_point": "f"}, ["missing key 'codes', 'tests'"]),
        ({"prompt_id": "q", "prompt": "x", "codes": ["c"], "tests": ["assert f()"]}, ["missing key 'entry_point'"]),
        (row(prompt_id="q", tests=[{"input": "1"}]), ["tests[0]: a test has no input"]),
        (row(prompt_id="q", tests=["assert f()", 5]), ["tests[1] is a number"]),
        (row(prompt_id=5), ["prompt_id is a number", "write a string"]),
        (row(prompt_id="q", source=None), ["source is null"]),
        (row(prompt_id="q", codes="x"), ["codes is a string", "list of strings"]),
        (row(prompt_id="q", codes=["a", "b", 3]), ["codes[2] is a number", "write a string"]),
        (row(prompt_id="q", tests=[["a"]]), ["tests[0] is a list"]),
        (row(prompt_id="q", tests=[True]), ["tests[0] is a boolean"]),
        (row(prompt_id="q", codes=[]), ["codes is an empty list"]),
        (row(prompt_id="q", tests=[]), ["tests is an empty list"]),
        (row(prompt_id=" "), ["prompt_id is empty"]),
        (row(prompt_id="q", prompt=""), ["prompt is empty"]),
        (row(prompt_id="q", entry_point=""), ["entry_point is empty"]),
        (row(prompt_id="q", entry_point="Solution.f"), ["entry_point 'Solution.f' is no Python name"]),
        (row(prompt_id="q", entry_point="class"), ["entry_point 'class' is no Python name"]),
        (row(prompt_id="p"), ["prompt_id 'p' is already that of line 1"]),
        (row(prompt_id="q", codes=["\ud800"]), ["codes[0] holds half a surrogate pair"]),
        ('{"prompt_id": "q", "prompt_id": "r"}', ["key 'prompt_id' appears twice"]),
    ],
)
def test_bad_lines(tmp_path, line, words):
    said = problem_on_line_2(tmp_path, line)
    assert all(word in said for word in words), said


def test_first_of_two_equal_ids_stays_and_a_bad_line_takes_no_id(tmp_path):
    path = write(tmp_path / "r", row(codes=[]), row(prompt="one"), row(prompt="two"))
    good, bad = read_recordings(path, skip_bad=True)
    assert [r.prompt for r in good] == ["one"]
    assert [b.line for b in bad] == [1, 3]
    assert "line 2" in bad[1].problem


def test_message_lists_ten_and_counts_the_rest(tmp_path):
    path = write(tmp_path / "r.jsonl", ROW, *["{"] * 13)
    with pytest.raises(RecordingError) as caught:
        read_recordings(path)
    lines = str(caught.value).split("\n")
    assert len(lines) == 11
    assert lines[0].startswith(f"{path}:2: ")
    assert lines[9].startswith(f"{path}:11: ")
    assert lines[10] == f"... and 3 more bad lines in {path}"
    assert len(read_recordings(path, skip_bad=True)[1]) == 13


@pytest.mark.parametrize(
    ("indent", "wrap", "words"),
    [(None, True, "a JSON list"), (2, True, "a JSON list"), (2, False, "JSON over several lines")],
)
def test_json_in_place_of_json_lines_is_one_line(tmp_path, indent, wrap, words):
    path = tmp_path / "r.json"
    entry = row()
    path.write_text(json.dumps([entry, entry] if wrap else entry, indent=indent))
    with pytest.raises(
        RecordingError, match=rf"{words}, not JSON lines; write one object a line, e\.g\. jq -c"
    ) as error:
        read_recordings(path, skip_bad=True)
    assert "\n" not in str(error.value)


def test_not_utf8_names_the_byte(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(json.dumps(ROW).encode() + b"\n" + b'{"prompt_id": "caf\xe9"}\n')
    with pytest.raises(
        RecordingError, match=r"r.jsonl:2: not UTF-8 text \(byte 19 of the line\); save the file as UTF-8"
    ):
        read_recordings(path)


def test_cut_off_last_line(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(row(prompt_id="q"))[:40])
    with pytest.raises(RecordingError, match=r"r.jsonl:2: not JSON .*cut off here"):
        read_recordings(path)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_gzip(tmp_path, damage):
    # Random-looking text, so that the damage lies behind some whole lines.
    rows = [row(prompt_id=f"p{i:03d}", codes=[str(hash((i, j))) for j in range(200)]) for i in range(200)]
    data = bytearray(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    if damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[-6] ^= 0xFF  # the checksum at the end
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="the gzip stream is damaged") as caught:
        read_recordings(path)
    good, bad = read_recordings(path, skip_bad=True)
    assert len(bad) == 1
    assert bad[0].line == len(good) + 1
    assert list(good)[:3] == [
        Recording(**{**r, "codes": tuple(r["codes"]), "tests": tuple(r["tests"])}) for r in rows[:3]
    ]
    assert str(caught.value) == str(bad[0])


@pytest.mark.parametrize("skip_bad", [False, True])
def test_files_that_can_not_be_read_at_all(tmp_path, skip_bad):
    (tmp_path / "empty").touch()
    (tmp_path / "blank").write_text("\n \n")
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    for name, words in [
        ("absent", "No such file"),
        (".", "Is a directory"),
        ("empty", "no lines"),
        ("blank", "no lines"),
        ("empty.gz", "no lines"),
    ]:
        with pytest.raises(RecordingError, match=words) as caught:
            read_recordings(tmp_path / name, skip_bad)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")


def test_bad_lines_cost_no_memory_for_their_text(tmp_path):
    path = tmp_path / "r.jsonl"
    with path.open("w") as stream:
        for i in range(60):
            stream.write(json.dumps(row(prompt_id=f"p{i}", codes=["x" * 500_000, 1])) + "\n")
    tracemalloc.start()
    _, bad = read_recordings(path, skip_bad=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(bad) == 60
    assert peak < 8_000_000  # the file holds 30 MB


def test_trajectories_have_versions_and_may_share_a_prompt(tmp_path):
    versions = {"versions": ["def f(x", "def f(): pass"]}
    rows = [{key: value for key, value in {**ROW, **versions}.items() if key != "codes"}] * 2
    good, bad = read_recordings(write(tmp_path / "t.jsonl", *rows), codes=VERSIONS)
    assert not bad
    assert [item.codes for item in good] == [("def f(x", "def f(): pass")] * 2
    first, again = {**rows[0], "versions": ["2"]}, {**rows[0], "versions": ["1"]}
    other = {**rows[0], "prompt_id": "a"}
    read_back, _ = read_recordings(write(tmp_path / "t.jsonl", first, other, again), codes=VERSIONS)
    assert [item.prompt_id for item in read_back] == ["a", "p", "p"]
    assert [item.codes for item in read_back][1:] == [("2",), ("1",)]  # as in the file
    with pytest.raises(RecordingError, match="unknown key 'versions'"):
        read_recordings(tmp_path / "t.jsonl")
    with pytest.raises(RecordingError, match="unknown key 'codes'"):
        read_recordings(write(tmp_path / "r.jsonl", ROW), codes=VERSIONS)


def test_memory_does_not_grow_with_the_recordings(tmp_path):
    peaks = []
    for count in (200, 2000):
        rows = (row(prompt_id=f"p{i * 7919 % count}", codes=["x" * 2000]) for i in range(count))
        path = write(tmp_path / "r.jsonl", *rows)
        tracemalloc.start()
        good, _ = read_recordings(path)
        assert sum(1 for _ in good) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1800 * 50  # bytes a recording of 2 KB

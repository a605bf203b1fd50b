"""LiveCodeBench on tasks of ours: upstream's prompts and rules, tests that stay packed, scores by day and kind."""

import base64
import hashlib
import json
import pickle
import zlib

import pytest
from evaluation_tiny import write_lines
from generate.fake_server import FakeServer
from inprocess import run

from codepref.benchmarks import variants_of
from codepref.errors import CodeprefError
from evaluation import livecodebench
from evaluation import run as runs
from evaluation.ask import AskedModel
from evaluation.benchmark import Problem, Settings, dataset_hash
from evaluation.catalogue import benchmark
from evaluation.results import read_verdicts

SUMS = [("1 2\n", "3\n"), ("5 5\n", "10\n")]
HALVES = [("3\n", "1.50\n"), ("4\n", "2\n")]
PAIRS = [('[1, 2]\n"x"', "[2, 1]"), ('[]\n"y"', "[]")]
STARTER = "class Solution:\n    def pair(self, values: List[int], name: str) -> List[int]:\n        "


def packed(cases):
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


def cases(tests, kind="stdin"):
    return [{"input": given, "output": printed, "testtype": kind} for given, printed in tests]


def row(task, title, day, difficulty, tests, called=""):
    """A row as the Hub has it: the first test public, the others packed."""
    kind = "functional" if called else "stdin"
    return {
        "question_id": task, "question_title": title, "question_content": f"{title}, please.",
        "platform": "leetcode" if called else "atcoder", "contest_id": "c", "contest_date": f"{day}T00:00:00",
        "difficulty": difficulty, "starter_code": STARTER if called else "",
        "public_test_cases": json.dumps(cases(tests[:1], kind)), "private_test_cases": packed(cases(tests[1:], kind)),
        "metadata": json.dumps({"func_name": called} if called else {}),
    }  # fmt: skip


ROWS = [
    row("abc900_a", "A. Sum", "2025-01-31", "easy", [*SUMS, *((f"{n} 0\n", f"{n}\n") for n in range(9))]),
    row("abc343_a", "A. Half", "2025-02-01", "hard", HALVES),
    row("9001", "Find The Peaks", "2025-03-01", "medium", PAIRS, "pair"),
]
RIGHT = {
    "abc900_a": "print(sum(map(int, input().split())))",
    "abc343_a": "print(int(input()) / 2)",
    "9001": "class Solution:\n    def pair(self, values, name):\n        return values[::-1]",
}


@pytest.fixture
def data(tmp_path):
    return write_lines(tmp_path / "test6.jsonl", ROWS)


def fenced(code):
    return f"Sure:\n```python\n{code}\n```\nDone."


PROMPTS = {"": ("13428a9a8040784b", "e4cd3f117e101650"), "add": ("5ac0d9f66c5fa51a", "62111a9704e38d23")}
"""SHA-256 of what code_generation.py of LiveCodeBench@28fef95 makes of a task, for chat and for base models."""


@pytest.mark.parametrize("called", sorted(PROMPTS))
def test_prompts_are_upstreams_byte_for_byte(called):
    starter = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        " if called else ""
    problem = Problem("1", "Add two numbers.", "", row={"starter": starter})
    chat, base = (livecodebench.question(problem, kind, False) for kind in (True, False))
    hashes = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in (chat.text, base.text, chat.system)]
    assert hashes == [*PROMPTS[called], "d39e6e9b11d2ac7e"]
    assert (chat.stop, base.stop, base.system) == ((), ("###",), None)


STDIN = [
    (RIGHT["abc900_a"], "passed"),
    ("def main():\n    print(sum(map(int, input().split())))\n\nif __name__ == '__main__':\n    main()", "passed"),
    ("print(reduce(add, map(int, stdin.readline().split())))", "passed"),
    ("def down(n):\n    return n and down(n - 1)\n\ndown(20000)\nprint(sum(map(int, input().split())))", "passed"),
    ("print(sum(map(int, input().split())))\nexit()", "passed"),
    ("len(str(10**5000))\nprint(sum(map(int, input().split())))", "passed"),
    ("print(3)", "failed"),
    ("print(sum(map(int, input().split())))\n1 / 0", "failed"),
    ("print(sum(map(int, input().split()))", "failed"),
]
CALLS = [
    (RIGHT["9001"], "passed"),
    ("class Solution:\n    def pair(self, values: List[int], name):\n        return tuple(values[::-1])", "passed"),
    ("def pair(values, name):\n    return values[::-1]", "passed"),
    ("list = tuple = isinstance = 1\n\ndef pair(values, name):\n    return values[::-1]", "passed"),
    ("list = [1]\n\ndef pair(values, name):\n    return (*values[::-1],)", "passed"),
    ("class Solution:\n    def pair(self, values, name):\n        return [float(v) for v in values[::-1]]", "passed"),
    ("class Solution:\n    def pair(self, values, name):\n        return values", "failed"),
    ("class Solution:\n    def pair(self, values, name):\n        return reversed(values)", "failed"),
    ("class Solution:\n    def other(self, values, name):\n        return values[::-1]", "failed"),
    (
        "class Yes:\n    def __eq__(self, other):\n        return True\n\n"
        "class Solution:\n    def pair(self, values, name):\n        return Yes()",
        "failed",
    ),
]
DECIMALS = [
    (RIGHT["abc343_a"], "passed"),
    ("print(int(input()) / 2 + 1e-12)", "failed"),
    ("print(int(input()) // 2)", "failed"),
]


def test_right_programs_pass_and_mutants_fail(data):
    """The rules of upstream's checker, each on a program; of the last test but not of the first a mutant is found, too."""
    found = benchmark("livecodebench")
    problems = {problem.task_id: problem for problem in found.load(data)}
    late = ("a, b = map(int, input().split())\nprint(a + b if (a, b) != (8, 0) else 0)", "failed")
    asked = {"abc900_a": [*STDIN, late], "9001": CALLS, "abc343_a": DECIMALS}
    work = [
        (problems[task], [found.program(problems[task], fenced(code)) for code, _ in asked[task]]) for task in asked
    ]
    graded = dict(zip(asked, found.grade(work, Settings(workers=2)), strict=True))
    for task, programs in asked.items():
        assert [one.verdict for one in graded[task]] == [verdict for _, verdict in programs], task
        assert {one.mode for one in graded[task]} == {"plain"}
    assert graded["abc900_a"][-1].error == "line 1: expected '8', got '0'"


def test_a_program_that_has_failed_is_run_no_further(data, monkeypatch):
    ran = []

    def execute(jobs, *args, **options):
        ran.append([len(job.codes) * len(job.tests) for job in jobs])
        return original(jobs, *args, **options)

    original = livecodebench.grade_in_slices.__globals__["execute"]
    monkeypatch.setattr("evaluation.grade.slices.execute", execute)
    problem = next(problem for problem in livecodebench.load("livecodebench_v6", data) if problem.task_id == "abc900_a")
    programs = [livecodebench.program(problem, code) for code in ("print(3)", RIGHT["abc900_a"], "print(3)")]
    (graded,) = livecodebench.grade([(problem, programs)], Settings())
    assert [one.verdict for one in graded] == ["failed", "passed", "failed"]
    assert ran == [[16], [3]]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (fenced("x = 1"), "x = 1"),
        ("```python\nx = 1\n```\nbetter:\n```\nx = 2\n```", "x = 2"),
        ("x = 1", "x = 1"),
        (" x = 1\ny = 2\n", "x = 1\ny = 2"),
        ('x = """\n```\n1\n```\n"""', 'x = """\n```\n1\n```\n"""'),
        ("<think>\n```\nx = 1\n```\n</think>\n```python\nx = 2\n```", "x = 2"),
        ("<think>never ended", ""),
        ("", ""),
    ],
)
def test_the_code_is_what_stands_between_the_last_fences(answer, code):
    program = livecodebench.program(Problem("1", "", "", row={"called": ""}), answer)
    assert program == (f"{livecodebench.PRELUDE}\n{code}" if code else "")


def test_what_every_program_is_given():
    names = {}
    exec(livecodebench.PRELUDE.rpartition("; ")[0], names)
    assert names["List"] and names["defaultdict"] and names["gcd"]
    assert (names["datetime"].__name__, names["open"], names["pow"]) == ("datetime", open, pow)


def test_tests_stay_in_their_file_and_are_part_of_the_hash(data, tmp_path):
    problems = livecodebench.load("livecodebench_v6", data)
    moved = tmp_path / "moved.jsonl"
    moved.write_text("\n" + data.read_text())
    assert dataset_hash(livecodebench.load("livecodebench_v6", moved)) == dataset_hash(problems)
    (tests,) = [livecodebench.tests_of(problem) for problem in problems if problem.task_id == "9001"]
    assert tests == ["assert codepref_answer([1, 2], 'x') == [2, 1]", "assert codepref_answer([], 'y') == []"]
    other = [{**ROWS[0], "private_test_cases": "[]"}, *ROWS[1:]]
    changed = livecodebench.load("livecodebench_v6", write_lines(data, other))
    assert dataset_hash(changed) != dataset_hash(problems)
    with pytest.raises(CodeprefError, match=r"test6\.jsonl:1: the file has changed; start the run again"):
        next(livecodebench.tests_of(problem) for problem in problems if problem.task_id == "abc900_a")


class Harm:
    def __reduce__(self):
        return print, ("harm",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(Harm()))).decode()}, "more than a text"),
        ({"private_test_cases": "###"}, "private_test_cases can not be read"),
        ({"public_test_cases": "{", "private_test_cases": "[]"}, "public_test_cases can not be read"),
        ({"public_test_cases": "[]", "private_test_cases": "[]"}, "no tests"),
        ({"public_test_cases": '[{"input": "1"}]'}, "output of a test is null"),
        ({"metadata": '{"func_name": "pair"}'}, "an argument or value of a test is no JSON"),
        ({"metadata": "[]"}, "metadata no JSON object"),
        ({"metadata": '{"func_name": "f() or g"}'}, "metadata no JSON object of a func_name"),
        ({"metadata": '{"func_name": 5}'}, "metadata no JSON object of a func_name"),
        ({"private_test_cases": ""}, "private_test_cases is empty"),
        ({"contest_date": "soon"}, "contest_date is no date"),
        ({"difficulty": None}, "difficulty is null"),
    ],
)
def test_a_bad_row_is_one_line_that_names_it(tmp_path, capsys, change, message):
    path = write_lines(tmp_path / "bad.jsonl", [ROWS[1], {**ROWS[0], **change}])
    with pytest.raises(CodeprefError) as error:
        for problem in livecodebench.load("livecodebench_v6", path):
            livecodebench.tests_of(problem)
    assert str(error.value).startswith(f"{path}:2: ") and message in str(error.value)
    assert "\n" not in str(error.value) and "harm" not in capsys.readouterr().out


def test_files_that_are_none_of_it(tmp_path, data):
    def refused(path):
        with pytest.raises(CodeprefError) as error:
            livecodebench.load("livecodebench_release_v2", path)
        return str(error.value)

    assert "no test.jsonl, which is a part of livecodebench_release_v2" in refused(tmp_path)
    assert "give a .jsonl file of the Hub as it is" in refused(tmp_path / "test.parquet")
    assert "No such file" in refused(tmp_path / "none.jsonl")
    assert ":1: no 'question_title'" in refused(write_lines(tmp_path / "other.jsonl", [{"task_id": "1"}]))
    twice = write_lines(tmp_path / "twice.jsonl", [ROWS[0], ROWS[1], ROWS[0]])
    assert refused(twice) == f"{twice}:3: task 'abc900_a' stands in {twice}:1 too; keep one of the rows"
    assert "empty.jsonl: no tasks" in refused(write_lines(tmp_path / "empty.jsonl", []))


def test_a_release_is_all_files_so_far_or_the_new_one(tmp_path):
    files = {variant.name.removeprefix("livecodebench_"): variant for variant in variants_of("livecodebench")}
    assert files["release_v6"].problems == 1055 and files["v6"].problems == 175
    assert files["release_v2"].data.files == ("test.jsonl", "test2.jsonl") and files["v2"].data.files == (
        "test2.jsonl",
    )
    for place, name in enumerate(files["release_v2"].data.files):
        write_lines(tmp_path / name, ROWS[place : place + 1])
    found = benchmark("livecodebench", release="release_v2").load(tmp_path)
    assert [problem.task_id for problem in found] == ["abc343_a", "abc900_a"]
    assert benchmark("livecodebench").name == "livecodebench_release_v6"


def test_files_come_from_the_hub_at_the_known_commit(monkeypatch, data):
    asked = []

    def download(hub, file, **options):
        asked.append((hub, file, options["revision"], options["repo_type"]))
        return str(data)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert len(benchmark("livecodebench", release="v6").load(None)) == 3
    commit = "0fe84c3912ea0c4d4a78037083943e8f0c4dd505"
    assert asked == [("livecodebench/code_generation_lite", "test6.jsonl", commit, "dataset")]
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *args, **options: 1 / 0)
    with pytest.raises(CodeprefError, match=r"code_generation_lite: can not be loaded .* pass --data FILE"):
        benchmark("livecodebench", release="v6").load(None)


def test_saved_samples_from_the_command_line(data, tmp_path):
    """Upstream's own rows of samples; only some days; flawed tasks are told, and scored apart."""
    rows = [{"question_id": task, "code_list": [code, "print(3)"]} for task, code in RIGHT.items()]
    samples, out = tmp_path / "s.json", tmp_path / "out"
    samples.write_text(json.dumps(rows))
    words = ["--data", data, "--samples", samples, "--out", out, "--cache", tmp_path / "cache", "--workers", 1]
    done = run("evaluate", "livecodebench", "--release", "v6", "--since", "2025-02", "--k", 1, *words)
    assert done.returncode == 0, done.stderr
    assert "| difficulty: hard | 50.0" in done.stdout and "| platform: leetcode | 50.0" in done.stdout
    assert "| month: 2025-03 | 50.0" in done.stdout and "| errata: listed | 50.0" in done.stdout
    assert "Only tasks published since 2025-02-01.\n" in done.stdout
    assert "References: the data set has none.\n" in done.stdout
    assert (
        "2 of 2 tasks are flawed by their authors' list, and count: 9001 (several right outputs), abc343_a"
        in done.stdout
    )
    found = json.loads((out / "livecodebench_v6" / "results.json").read_text())
    assert (found["problems"], found["problems_of_benchmark"], found["partial"]) == (2, 2, None)
    assert found["window"] == {"since": "2025-02-01", "until": None}
    assert {"value", "low", "high"} == set(found["score"]["pass@1"])
    refused = run("evaluate", "livecodebench", "--since", "2026-01", *words)
    assert refused.returncode == 2 and "no task was published since 2026-01-01" in refused.stderr


def test_a_served_model_is_asked_and_graded(data, tmp_path):
    def answer(prompt, seed, choice):
        task = next(row["question_id"] for row in ROWS if row["question_content"] in prompt)
        return fenced(RIGHT[task])

    with FakeServer(text=answer) as server:
        model = AskedModel("m", "server", base_url=server.base_url)
        options = runs.Options(tmp_path / "out", data, model=model, cache=tmp_path / "cache", quiet=True)
        found = runs.run_benchmark(benchmark("livecodebench", release="v6"), options)
        asked = {message["role"] for message in server.seen[0].body["messages"]}
        assert asked == {"system", "user"} and server.seen[0].body["max_tokens"] == 2000
    assert found["score"]["pass@1"]["value"] == 1.0
    assert [line["task_id"] for line in read_verdicts(options.out / "livecodebench_v6" / "verdicts.jsonl")] == sorted(
        RIGHT
    )

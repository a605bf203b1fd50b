import dataclasses
import json
from xml.etree import ElementTree

import pytest
from evaluation_tiny import PROBLEMS, RIGHT, data, samples, write_lines

from codepref.errors import CodeprefError
from evaluation import compare, results
from evaluation.catalogue import benchmark
from evaluation.run import Options, run_benchmark

WRONG = [RIGHT[0], "def half(a):\n    return a\n", RIGHT[2]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def options(tmp_path, cache):
    return Options(tmp_path / "out", data(tmp_path), samples(tmp_path, WRONG), cache=cache, quiet=True)


PLUS = benchmark("humaneval_plus")


def test_a_run_leaves_everything_behind(options):
    found = run_benchmark(PLUS, options)
    folder = options.out / "humaneval_plus"
    assert found["score"]["pass@1"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["base"]["pass@1"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert found["verdicts"] == {"failed": 1, "passed": 2}
    assert found["references"] == {"run": 3, "passed": 3, "failed": [], "excused": {}}
    assert {"dataset", "prompt", "stop", "extractor", "limits", "libraries", "sandbox", "id"} <= set(
        found["fingerprint"]
    )
    assert json.loads((folder / "results.json").read_text()) == found
    rows = results.read_verdicts(folder / "verdicts.jsonl")
    assert [(r["task_id"], r["sample"], r["verdict"], r["base_verdict"], r["plus_verdict"]) for r in rows] == [
        ("HumanEval/900", 0, "passed", "passed", "passed"), ("HumanEval/901", 0, "failed", "failed", "failed"),
        ("HumanEval/902", 0, "passed", "passed", "passed"),
    ]  # fmt: skip
    summary = (folder / "summary.md").read_text()
    assert "66.7 [20.8, 93.9]" in summary
    assert found["fingerprint"]["id"] in summary
    picture = ElementTree.parse(folder / "figures" / "score.svg")
    assert sum(part.tag.endswith("}rect") for part in picture.iter()) == 1 + len(["all", "original tests"])
    official = json.loads((folder / "eval_results.json").read_text())
    assert official["eval"]["HumanEval/901"][0]["plus_status"] == "fail"
    assert official["pass_at_k"]["plus"]["pass@1"] == pytest.approx(2 / 3, abs=1e-6)
    assert [json.loads(line)["solution"] for line in (folder / "samples.jsonl").open()] == WRONG


def test_a_killed_run_goes_on_by_problem(options, monkeypatch):
    whole = run_benchmark(PLUS, options)
    path = options.out / "humaneval_plus" / "verdicts.jsonl"
    complete = path.read_text()
    first = complete.splitlines(keepends=True)[0]
    path.write_text(first + '{"task_id": "HumanEval/901", "sam')
    asked = []

    def grade(work, settings):
        work = list(work)
        asked.extend(problem.task_id for problem, _ in work)
        return PLUS.grade(work, settings)

    again = run_benchmark(dataclasses.replace(PLUS, grade=grade), options)
    assert asked == ["HumanEval/901", "HumanEval/902"]
    strip = [{k: v for k, v in json.loads(line).items() if k != "cpu_s"} for line in path.read_text().splitlines()]
    assert strip == [{k: v for k, v in json.loads(line).items() if k != "cpu_s"} for line in complete.splitlines()]
    assert again["score"] == whole["score"]


def test_another_program_is_judged_anew(options, tmp_path):
    run_benchmark(PLUS, options)
    better = dataclasses.replace(options, samples=samples(tmp_path, RIGHT))
    assert run_benchmark(PLUS, better)["score"]["pass@1"]["value"] == 1.0


def test_nothing_is_reported_when_references_fail(options, tmp_path):
    kept = sorted(options.cache.glob("references/*"))
    broken = [dict(PROBLEMS[0]), PROBLEMS[1], {**PROBLEMS[2], "canonical_solution": "    return nothing\n"}]
    with pytest.raises(CodeprefError, match=r"HumanEval/902: its reference failed"):
        run_benchmark(PLUS, dataclasses.replace(options, data=write_lines(tmp_path / "broken.jsonl", broken)))
    row = {
        "task_id": "HumanEval/9", "prompt": "def f(a):\n", "canonical_solution": "    return a\n", "entry_point": "f",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    }  # fmt: skip
    given = write_lines(tmp_path / "s.jsonl", [{"task_id": "HumanEval/9", "completion": "    return 2\n"}])
    wrong = dataclasses.replace(options, data=write_lines(tmp_path / "wrong.jsonl", [row]), samples=given)
    with pytest.raises(
        CodeprefError, match=r"1 of 1 reference solutions fail here, so no score is reported: HumanEval/9"
    ):
        run_benchmark(benchmark("humaneval"), wrong)
    assert not (options.out / "humaneval" / "results.json").exists()
    assert sorted(options.cache.glob("references/*")) == kept  # a mended environment is asked again


def test_only_some_tasks(options, tmp_path):
    ids = tmp_path / "ids.json"
    ids.write_text('["HumanEval/902"]')
    assert run_benchmark(PLUS, dataclasses.replace(options, ids=ids))["problems"] == 1
    ids.write_text('["HumanEval/1"]')
    with pytest.raises(CodeprefError, match=r"'HumanEval/1' is no task"):
        run_benchmark(PLUS, dataclasses.replace(options, ids=ids))


def test_two_runs_are_compared(options, tmp_path):
    run_benchmark(PLUS, options)
    other = dataclasses.replace(options, out=tmp_path / "other", samples=samples(tmp_path, RIGHT))
    run_benchmark(PLUS, other)
    found = compare.compare_runs(options.out / "humaneval_plus", other.out / "humaneval_plus")
    assert (found["wins"], found["losses"]) == (["HumanEval/901"], [])
    assert found["difference"] == pytest.approx(100 / 3)
    assert found["mcnemar_p"] == 1.0
    assert found["same_fingerprint"]
    with pytest.raises(CodeprefError, match="no results to compare"):
        compare.compare_runs(tmp_path, options.out / "humaneval_plus")


@pytest.mark.parametrize(("profile", "verdict"), [("function", "failed"), ("library", "passed")])
def test_programs_may_use_threads_where_the_profile_says_so(options, tmp_path, profile, verdict):
    threaded = "from concurrent.futures import ThreadPoolExecutor\ndef half(a):\n"
    threaded += "    with ThreadPoolExecutor(1) as pool:\n        return pool.submit(lambda: a / 2).result()\n"
    programs = samples(tmp_path, [RIGHT[0], threaded, RIGHT[2]])
    found = run_benchmark(PLUS, dataclasses.replace(options, samples=programs, profile=profile))
    rows = results.read_verdicts(options.out / "humaneval_plus" / "verdicts.jsonl")
    assert [row["verdict"] for row in rows] == ["passed", verdict, "passed"]
    assert found["fingerprint"]["limits"]["profile"] == profile

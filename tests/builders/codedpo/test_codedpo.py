import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import datasets
import numpy as np
import pytest
from building import build_in

from builders.chain import confidence, ranking
from builders.chain.scoring import Ranking, score_matrices
from builders.codedpo import method as codedpo
from builders.codedpo.method import Config
from builders.codedpo.pairs import CodePair, CodePairRule, pair_extremes
from codepref import config
from codepref.errors import CodeprefError
from codepref.records import Candidate, Candidates, Outcomes, Scores, Test, from_table, to_table
from codepref.sandbox import Limits

from builders_recordings import write  # isort: skip

QUICK = Limits(cpu_s=0.3)


def build(recordings, out, workers=1, **changes):
    config = Config(generations=str(recordings), limits=QUICK, shard_size=2)
    return build_in(codedpo, replace(config, **changes), out, workers=workers, quiet=True)


def hashes(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    recordings = write(folder / "generations.jsonl")
    manifest = build(recordings, folder / "run")
    return folder / "run", manifest


def test_load_dataset_opens_the_folder(built):
    folder, _ = built
    rows = datasets.load_dataset(str(folder), split="train")
    assert rows.column_names[:3] == ["prompt", "chosen", "rejected"]
    assert rows["prompt_id"] == ["bad-tests", "broken", "clear", "loop"]
    assert datasets.load_dataset(str(folder), "correctness", split="train").to_list() == rows.to_list()


def test_the_pair_is_best_over_worst(built):
    folder, _ = built
    row = {row["prompt_id"]: row for row in datasets.load_dataset(str(folder), split="train")}["clear"]
    assert row["chosen"] == "def f(x):\n    return x + 1\n"  # of two equally good ones the shorter: the lower median
    assert row["rejected"] == "def f(x):\n    return x * 7\n"
    assert (row["chosen_passed"], row["rejected_passed"]) == (3, 0)
    assert (row["chosen_index"], row["rejected_index"]) == (3, 0)
    assert row["matrix"] == [
        [False] * 4,
        [False, True, True, False],
        [True, True, True, False],
        [True, True, True, False],
    ]
    assert 0.5 < row["confidence"] < 1.0
    assert row["verdict_counts"]["passed"] == 8
    assert row["verdict_counts"]["failed"] == 8
    assert (row["generator"], row["source"], row["licence"]) == ("a model", "made for this test", "MIT")


def test_scores_are_those_of_the_matrix(built):
    folder, _ = built
    for row in datasets.load_dataset(str(folder), split="train"):
        codes, tests = ranking.self_validation(np.array(row["matrix"]))
        np.testing.assert_allclose(row["code_scores"], codes, rtol=1e-11)
        np.testing.assert_allclose(row["test_scores"], tests, rtol=1e-11)
        assert row["chosen_score"] == max(row["code_scores"])
        assert row["rejected_score"] == min(row["code_scores"])
        assert 0 < row["confidence"] <= 1


def test_everything_left_out_is_on_file(built):
    folder, manifest = built
    lines = [json.loads(line) for line in (folder / "exclusions.jsonl").read_text().splitlines()]
    assert manifest["exclusions"]["count"] == len(lines)
    prompts = {(line["prompt_id"], line["rule"]) for line in lines if line["kind"] == "prompt"}
    assert prompts == {("equal", "all scores equal"), ("lonely", "fewer than 2 codes"), ("untested", "no tests")}
    broken = [(line["kind"], line["rule"]) for line in lines if line["prompt_id"] == "broken"]
    assert broken == [
        ("code", "unparseable"),
        ("code", "empty"),
        ("code", "no entry point"),
        ("test", "duplicate"),
        ("test", "no call"),
        ("test", "unparseable"),
    ]


def test_an_endless_loop_is_a_timeout(built):
    folder, _ = built
    row = {row["prompt_id"]: row for row in datasets.load_dataset(str(folder), split="train")}["loop"]
    assert row["verdict_counts"]["timeout"] == 3


def test_the_manifest_accounts_for_every_prompt(built):
    folder, manifest = built
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    assert [(s["stage"], s["rows_in"], s["rows_out"]) for s in manifest["stages"]] == [
        ("samples", 7, 7),
        ("candidates", 7, 5),
        ("outcomes", 5, 5),
        ("informative_tests", 5, 5),
        ("informative_runs", 5, 5),
        ("scores", 5, 5),
        ("pairs", 5, 4),
    ]
    (file,) = manifest["dataset"]["correctness"]["files"]
    assert file["sha256"] == hashlib.sha256((folder / file["file"]).read_bytes()).hexdigest()
    assert manifest["config"]["generations"] == "generations.jsonl"  # no path of this machine


def test_shards_of_another_size_change_no_byte_of_the_dataset(built, tmp_path):
    build(built[0].parent / "generations.jsonl", tmp_path / "run", shard_size=3)
    for name in ("correctness/train-00000-of-00001.parquet", "exclusions.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (built[0] / name).read_bytes()


def test_workers_change_no_byte(built, tmp_path):
    folder, manifest = built
    again = build(folder.parent / "generations.jsonl", tmp_path / "two", workers=2)
    assert hashes(tmp_path / "two") == hashes(folder)
    assert again == manifest
    assert (tmp_path / "two" / "README.md").read_bytes() == (folder / "README.md").read_bytes()


COMMAND = [sys.executable, "-m", "builders.codedpo"]


def command(recordings, out, *more):
    settings = [f"generations={recordings}", "limits.cpu_s=0.3", "shard_size=2"]
    return [*COMMAND, "--out", str(out), *(word for item in settings for word in ("--set", item)), *more]


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_the_hash_seed_changes_no_byte(built, tmp_path, root, seed):
    folder, _ = built
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    run = subprocess.run(command(folder.parent / "generations.jsonl", tmp_path / "run"), env=environment, cwd=root)
    assert run.returncode == 0
    assert hashes(tmp_path / "run") == hashes(folder)


def test_kill_9_in_the_middle_loses_nothing_finished(built, tmp_path, root):
    folder, _ = built
    out = tmp_path / "run"
    words = command(folder.parent / "generations.jsonl", out, "--workers", "2", "--quiet")
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen(words, env=environment, cwd=root, start_new_session=True)
    while not list(out.glob("stages/outcomes-*/*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True).returncode == 0:
        time.sleep(0.05)
    finished = {path: path.stat().st_mtime_ns for path in out.glob("stages/*/*.parquet")}
    assert not (out / "README.md").exists()
    assert subprocess.run(words, env=environment, cwd=root).returncode == 0
    assert hashes(out) == hashes(folder)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished  # none was written again


def test_other_settings_reuse_what_they_do_not_touch(built, tmp_path):
    folder, _ = built
    recordings, out = folder.parent / "generations.jsonl", tmp_path / "run"
    build(recordings, out)
    written = {path: path.stat().st_mtime_ns for path in out.glob("stages/outcomes-*/*.parquet")}
    manifest = build(recordings, out, min_confidence=0.8)
    assert {path: path.stat().st_mtime_ns for path in out.glob("stages/outcomes-*/*.parquet")} == written
    assert manifest["dataset"]["correctness"]["rows"] < 4
    rules = {(item["kind"], item["rule"]) for stage in manifest["stages"] for item in stage["excluded"]}
    assert ("prompt", "low confidence") in rules
    assert len(datasets.load_dataset(str(out), split="train")) == manifest["dataset"]["correctness"]["rows"]


def share_of(manifest):
    (settings,) = [stage["depends"]["settings"] for stage in manifest["stages"] if stage["stage"] == "pairs"]
    return settings["right_share"]


def test_confidence_is_that_of_the_run_whatever_its_shards(built, tmp_path, monkeypatch):
    folder, manifest = built
    recordings = folder.parent / "generations.jsonl"
    monkeypatch.setattr(confidence, "SAMPLED", 2)  # of a large run only some prompts are looked at
    shares = {share_of(build(recordings, tmp_path / str(size), shard_size=size)) for size in (1, 2, 7)}
    assert len(shares) == 1
    assert shares != {share_of(manifest)}
    sampled, whole = (
        datasets.load_dataset(str(place), split="train")["confidence"] for place in (tmp_path / "7", folder)
    )
    assert all((one < other) == (sampled[0] < whole[0]) for one, other in zip(sampled, whole, strict=True))


def test_the_card_says_how_many_pairs_are_expected_to_be_right(built):
    folder, _ = built
    sure = datasets.load_dataset(str(folder), split="train")["confidence"]
    text = (folder / "README.md").read_text()
    assert f"About {sum(sure) / len(sure):.0%} of the 4 pairs of `correctness` are expected to be right" in text
    assert "How that was checked" in text


def test_a_build_without_pairs_says_why(tmp_path):
    path = tmp_path / "g.jsonl"
    row = {"prompt_id": "p", "prompt": "x", "entry_point": "f", "codes": ["def f(): pass"], "tests": ["assert f()"]}
    path.write_text(json.dumps(row))
    with pytest.raises(CodeprefError, match="not one row came out.*1 prompt fewer than 2 codes.*see exclusions"):
        build(path, tmp_path / "run")
    assert "fewer than 2 codes" in (tmp_path / "run" / "exclusions.jsonl").read_text()
    assert not (tmp_path / "run" / "README.md").exists()


def test_there_is_one_source_of_samples(tmp_path):
    with pytest.raises(CodeprefError, match="either generations=FILE"):
        build_in(codedpo, Config(), tmp_path, quiet=True)
    with pytest.raises(CodeprefError, match="needs a 'generation' section"):
        build_in(codedpo, Config(prompts="x"), tmp_path, quiet=True)


def tables(verdicts, codes=None):
    codes = codes or [f"def f(x):\n    return {n}\n" for n in range(len(verdicts))]
    candidates = Candidates(
        "p",
        "Write f.",
        "f",
        tuple(Candidate(f"id{n}", code, n, None, len(code.split())) for n, code in enumerate(codes)),
        tuple(Test(f"t{n}", f"assert f({n})", n, None) for n in range(len(verdicts[0]))),
    )
    modes, values = (("plain",) * len(verdicts[0]),) * len(verdicts), tuple(map(tuple, verdicts))
    outcome = Outcomes("p", values, modes, values)
    return to_table([candidates], Candidates), to_table([outcome], Outcomes)


def test_an_unjudged_cell_is_never_a_label():
    P, F, U = "passed", "failed", "unjudged"
    ready, ran = tables([[P, P], [F, P], [U, P], [F, F]])
    ranked = score_matrices(Ranking(), ready, ran)
    row = next(from_table(ranked.table, Scores))
    assert np.isnan(row.code_scores[2])
    assert [(e.rule, e.item) for e in ranked.excluded] == [("unjudged", 2)]
    without, _ = ranking.self_validation(np.array([[1, 1], [0, 1], [0, 0]], bool))
    np.testing.assert_allclose([row.code_scores[i] for i in (0, 1, 3)], without, rtol=1e-11)
    pair = next(from_table(pair_extremes(CodePairRule(), ready, ran, ranked.table).table, CodePair))
    assert (pair.chosen_index, pair.rejected_index) == (0, 3)
    ranked = score_matrices(Ranking(), *tables([[P], [U], [U]]))
    assert ranked.table.num_rows == 0
    assert ranked.excluded[-1].rule == "fewer than 2 judged codes"


def test_ties_by_length_then_by_lot():
    P, F = "passed", "failed"
    codes = ["a b c d e", "a b c", "a b c", "a", "a b c d", "a b c d e f g"]
    ready, ran = tables([[P], [P], [P], [F], [F], [F]], codes)
    ranked = score_matrices(Ranking(), ready, ran).table
    chosen, rejected = set(), set()
    for seed in range(20):
        pair = next(from_table(pair_extremes(CodePairRule(seed), ready, ran, ranked).table, CodePair))
        chosen.add(pair.chosen_index)
        rejected.add(pair.rejected_index)
    assert chosen == {1, 2}  # of median length, both drawn at times
    assert rejected == {4}  # nearest in length


def test_the_schedule_reaches_the_scores():
    ready, ran = tables([["passed", "passed"], ["failed", "passed"]])
    row = next(from_table(score_matrices(Ranking(0.5, 2, "tests_first"), ready, ran).table, Scores))
    assert row.code_scores == (2.6875, 1.75)


@pytest.mark.parametrize("name", ranking.NAMES)
def test_every_ranking_makes_pairs_of_the_same_outcomes(built, tmp_path, name):
    folder, _ = built
    shutil.copytree(folder / "stages", tmp_path / "run" / "stages")
    recordings = folder.parent / "generations.jsonl"
    manifest = build(recordings, tmp_path / "run", ranking=Ranking(name=name))
    assert len(list((tmp_path / "run" / "stages").glob("outcomes-*"))) == 1  # nothing ran again
    rows = datasets.load_dataset(str(tmp_path / "run"), split="train")
    assert len(rows) == manifest["dataset"]["correctness"]["rows"] > 0
    for row in rows:
        assert row["chosen_score"] == max(row["code_scores"]) > min(row["code_scores"]) == row["rejected_score"]
        assert 0 < row["confidence"] < 1


def test_a_ranking_is_named_in_one_word():
    assert config.load(Config, None, ["ranking=combined"]).ranking == Ranking(name="combined")
    assert config.load(Config, None, ["ranking.name=combined"]).ranking == Ranking(name="combined")
    assert config.load(Config, None, ["ranking.damping=0.5"]).ranking == Ranking(damping=0.5)
    with pytest.raises(CodeprefError, match=r"ranking.name: must be 'self_validation'.*, not .?.?best"):
        config.load(Config, None, ["ranking=best"])

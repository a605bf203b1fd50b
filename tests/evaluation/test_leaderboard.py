import json

from codepref.benchmarks import FAMILIES
from evaluation import leaderboard

FOUND = {
    "benchmark": "humaneval_plus", "model": "deepseek-ai/DeepSeek-Coder-6.7B-instruct", "adapter": None, "date": "2026-11-21",
    "samples": 164, "fingerprint": {"id": "abc"}, "score": {"pass@1": {"value": 0.70, "low": 0.6, "high": 0.8}},
}  # fmt: skip


def test_published_scores_name_their_source():
    scores = json.loads(leaderboard.FILE.read_text())["scores"]
    known = {variant.name for family in FAMILIES for variant in family.variants}
    keys = {(s["benchmark"], s["model"].lower(), str(s.get("window"))) for s in scores}
    assert len(keys) == len(scores)
    for entry in scores:
        assert entry["benchmark"] in known
        assert 0 < entry["pass@1"] < 100 and entry["tolerance"] > 0
        assert entry["source"] and entry["read"] >= "2026"


def test_the_distance_of_a_known_model():
    (note,) = leaderboard.distance_notes(FOUND)
    assert note.startswith("Published pass@1 71.3")
    assert "distance -1.3 points, within the tolerance of 2.0" in note
    far = {**FOUND, "score": {"pass@1": {"value": 0.5, "low": 0.4, "high": 0.6}}}
    assert "BEYOND the tolerance" in leaderboard.distance_notes(far)[0]
    assert leaderboard.distance_notes({**FOUND, "model": "nobody/nothing"}) == []
    assert leaderboard.distance_notes({**FOUND, "adapter": "mine"}) == []


def test_a_score_on_some_days_is_compared_with_one_on_the_same_days():
    days = {"since": "2025-02-01", "until": "2025-05-31"}
    found = {
        **FOUND, "benchmark": "livecodebench_v6", "model": "qwen/qwen3-4b-instruct-2507", "window": days,
        "score": {"pass@1": {"value": 0.33}},
    }  # fmt: skip
    assert "Published pass@1 35.1" in leaderboard.distance_notes(found)[0]
    assert leaderboard.distance_notes({**found, "window": None}) == []
    assert leaderboard.distance_notes({**found, "window": {**days, "until": "2025-03-31"}}) == []

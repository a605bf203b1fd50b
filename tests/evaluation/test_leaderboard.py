import json

from evaluation import leaderboard
from evaluation.catalogue import NAMES, benchmark

FOUND = {
    "benchmark": "humaneval_plus", "model": "deepseek-ai/DeepSeek-Coder-6.7B-instruct", "adapter": None, "date": "2026-11-21",
    "samples": 164, "fingerprint": {"id": "abc"}, "score": {"pass@1": {"value": 0.70, "low": 0.6, "high": 0.8}},
}  # fmt: skip


def test_published_scores_name_their_source():
    scores = json.loads(leaderboard.FILE.read_text())["scores"]
    known = {
        benchmark(name, split, subset).name
        for name in NAMES
        for split in ("complete", "instruct")
        for subset in ("full", "hard")
    }
    assert len({(s["benchmark"], s["model"].lower()) for s in scores}) == len(scores)
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

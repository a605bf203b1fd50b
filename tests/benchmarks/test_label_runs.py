import json
from dataclasses import replace

import pytest
from building import build_in

from benchmarks import label_runs
from builders.codedpo import method as codedpo
from codepref.errors import CodeprefError
from codepref.sandbox import Limits

from builders_recordings import GOOD, OFF, SAME, WRONG, write  # isort: skip


def test_a_run_becomes_matrices_with_truth(tmp_path):
    recordings = write(tmp_path / "generations.jsonl")
    config = codedpo.Config(generations=str(recordings), limits=Limits(cpu_s=0.3), shard_size=4)
    build_in(codedpo, replace(config), tmp_path / "run", quiet=True)
    hidden = ["assert f(0) == 1", "assert f(5) == 6"]
    names = ("clear", "equal", "loop", "broken", "lonely", "bad-tests")
    lines = [json.dumps({"prompt_id": name, "tests": hidden}) for name in names]
    (tmp_path / "truth.jsonl").write_text("\n".join(lines))
    found = {task.task_id: task for task in label_runs.tasks(tmp_path / "run", str(tmp_path / "truth.jsonl"), 1)}
    clear = found["clear"]
    truth = dict(zip(clear.programs, clear.passed, strict=True))
    by_text = {text.strip(): right for text, right in truth.items()}
    assert by_text == {WRONG.strip(): False, OFF.strip(): False, SAME.strip(): True, GOOD.strip(): True}
    assert len(clear.verdicts) == len(clear.programs) == len(clear.rows)
    assert len(clear.verdicts[0]) == len(clear.tests)


def test_an_unfinished_run_is_refused(tmp_path):
    with pytest.raises(CodeprefError, match="no such folder"):
        list(label_runs.tasks(tmp_path / "none", "tiny", 1))

"""Rows for training: from folders, files and tags; messages, templates, labels, held-out prompts."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codepref.errors import CodeprefError


@pytest.fixture(scope="module")
def data():
    import data

    return data


@pytest.fixture
def folder(tmp_path, rows):
    """A folder as codepref writes it: two configs, a card that names them, a manifest."""
    out = tmp_path / "built"
    for name, part in (("correctness", rows), ("efficiency", rows[:3])):
        (out / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(part), out / name / "train-00000-of-00001.parquet")
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {name}/train-*\n" for name in ("correctness", "efficiency")
    )  # fmt: skip
    (out / "README.md").write_text(f"---\nconfigs:\n{configs.replace('correctness', 'correctness', 1)}---\n")
    files = [{"file": "correctness/train-00000-of-00001.parquet", "sha256": "ab" * 32}]
    (out / "manifest.json").write_text(json.dumps({"method": "codeflow", "dataset": {"correctness": {"files": files}}}))
    return out


def test_a_folder_and_its_lineage(data, folder, rows):
    arguments = data.DataArguments(dataset_name=str(folder), dataset_config="correctness")
    found = data.pairs(arguments, spans=True)
    train, held = found.train, found.held
    assert (len(train), held) == (len(rows), None)
    assert set(train.column_names) == {"prompt", "chosen", "rejected", "chosen_spans", "rejected_spans", "place"}
    told = data.lineage(arguments)
    assert told["name"] == "built"
    assert told["method"] == "codeflow"
    assert told["files"] == {"correctness/train-00000-of-00001.parquet": "ab" * 32}
    assert len(told["manifest_sha256"]) == 64
    assert len(data.pairs(data.DataArguments(dataset_name=str(folder), dataset_config="efficiency")).train) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset_config": "speed"}, "speed"),
        ({"dataset_config": None}, "has several configs; give dataset_config, one of correctness, efficiency$"),
        ({"dataset_name": "absent/folder/deep"}, "no such folder"),
        ({"dataset_name": "./absent"}, "no such folder"),
        ({"eval_fraction": 0.0001}, "leaves 12 to train on and 0"),
    ],
)
def test_what_is_refused(data, folder, changes, said):
    arguments = data.DataArguments(**{"dataset_name": str(folder), "dataset_config": "correctness", **changes})
    with pytest.raises(CodeprefError, match=said):
        data.pairs(arguments)


def test_unknown_file(data, tmp_path):
    (tmp_path / "pairs.csv").write_text("a,b\n")
    with pytest.raises(CodeprefError, match=r"unknown kind of file, known are \.jsonl"):
        data.pairs(data.DataArguments(dataset_name=str(tmp_path / "pairs.csv")))


def test_a_tag_is_the_revision(data, monkeypatch):
    import source
    from datasets import Dataset

    asked = {}

    def opened(name, config, *, split, revision):
        asked.update(name=name, config=config, split=split, revision=revision)
        return Dataset.from_list([{"prompt": "p", "chosen": "c", "rejected": "r"}])

    monkeypatch.setattr(source, "load_dataset", opened)  # the Hub itself is out of reach
    data.pairs(data.DataArguments(dataset_name="someone/pairs@v1.2"))
    assert asked == {"name": "someone/pairs", "config": None, "split": "train", "revision": "v1.2"}
    told = data.lineage(data.DataArguments(dataset_name="someone/pairs@v1.2"))
    assert (told["name"], told["tag"], told["local"]) == ("someone/pairs", "v1.2", False)


def test_messages_and_templates(data, folder, rows):
    base = {"dataset_name": str(folder), "dataset_config": "correctness"}
    row = data.pairs(data.DataArguments(**base, chat=True)).train[0]
    assert row["prompt"] == [{"role": "user", "content": rows[0]["prompt"]}]
    assert row["chosen"] == [{"role": "assistant", "content": rows[0]["chosen"]}]
    row = data.completions(data.DataArguments(**base, prompt_template="Q: {prompt}A: ")).train[0]
    assert (row["prompt"], row["completion"]) == (f"Q: {rows[0]['prompt']}A: ", rows[0]["chosen"])


def test_codes_in_a_block_and_their_spans(data, tmp_path):
    path = tmp_path / "pairs.jsonl"
    spans = {"chosen_spans": [[0, 3]], "rejected_spans": [[1, 4], [4, 4]]}
    path.write_text(json.dumps({"prompt": "p", "chosen": "a=1\n", "rejected": "b=22", **spans}) + "\n")
    given = data.DataArguments(dataset_name=str(path), chat=True, fenced=True)
    row = data.pairs(given, spans=True).train[0]
    chosen, rejected = (row[side][0]["content"] for side in ("chosen", "rejected"))
    assert (chosen, rejected) == ("```python\na=1\n```", "```python\nb=22\n```")
    assert [chosen[first:last] for first, last in row["chosen_spans"]] == ["a=1"]
    assert [rejected[first:last] for first, last in row["rejected_spans"]] == ["=22", ""]
    path.write_text(json.dumps({"prompt": "p", "chosen": "```python\na\n```", "rejected": "b"}) + "\n")
    row = data.pairs(given).train[0]
    assert row["chosen"][0]["content"] == "```python\na\n```" and row["rejected"][0]["content"] == "b"


def test_rows_that_are_messages_stay(data, tmp_path, rows):
    path = tmp_path / "chat.jsonl"
    row = {"prompt": [{"role": "user", "content": "p"}], "chosen": [{"role": "assistant", "content": "c"}]}
    path.write_text(json.dumps({**row, "rejected": [{"role": "assistant", "content": "r"}]}) + "\n")
    train = data.pairs(data.DataArguments(dataset_name=str(path), chat=True)).train
    assert train[0]["prompt"] == row["prompt"]


def test_labels(data, folder, rows, tmp_path):
    train = data.labelled(data.DataArguments(dataset_name=str(folder), dataset_config="correctness"), seed=1).train
    good = {row["completion"] for row in train if row["label"]}
    assert good == {row["chosen"] for row in rows}
    assert len(train) == 2 * len(rows)
    again = data.labelled(data.DataArguments(dataset_name=str(folder), dataset_config="correctness"), seed=1).train
    assert train["completion"] == again["completion"]
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps({"prompt": "p", "completion": str(i), "label": i > 2}) + "\n" for i in range(5)))
    kept = data.completions(data.DataArguments(dataset_name=str(path))).train
    assert kept["completion"] == ["3", "4"]


def test_held_out_prompts_do_not_depend_on_the_rest(data, folder, tmp_path):
    base = data.DataArguments(dataset_name=str(folder), dataset_config="correctness", eval_fraction=0.3)
    first = data.pairs(base)
    train, held = first.train, first.held
    path = tmp_path / "more.jsonl"
    rows = [{"prompt": f"another {i}", "chosen": "c", "rejected": "r"} for i in range(50)]
    old = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for part in (train, held) for row in part]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows + old + old))
    both = data.pairs(data.DataArguments(dataset_name=str(path), eval_fraction=0.3))
    more, out = both.train, both.held
    assert set(held["prompt"]) <= set(out["prompt"])
    assert not set(out["prompt"]) & set(more["prompt"])
    assert 5 < len({prompt for prompt in out["prompt"] if prompt.startswith("another")}) < 30
    shutil.rmtree(folder)


def test_rows_are_never_all_in_memory(data, tmp_path, words):
    import tracemalloc

    import measure

    path = tmp_path / "many.jsonl"
    with path.open("w") as file:
        for i in range(6000):
            row = {"prompt": f"Write number {i}.\n", "chosen": "x = 1\n" * 300 + str(i), "rejected": "y = 1\n" * 300}
            file.write(json.dumps(row) + "\n")
    assert path.stat().st_size > 25e6
    tracemalloc.start()
    try:
        rows = data.pairs(data.DataArguments(dataset_name=str(path))).train
        measure.measure(rows.select(range(500)), ("chosen", "rejected"), words, 512, 10_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(rows) == 6000
    assert peak < 12e6, peak


def test_what_was_read_once_is_read_again_when_the_file_has_changed(data, tmp_path):
    path = tmp_path / "a.jsonl"
    row = {"prompt": "p", "chosen": "c", "rejected": "r"}
    path.write_text(json.dumps(row) + "\n")
    first = data.pairs(data.DataArguments(dataset_name=str(path)))
    assert data.pairs(data.DataArguments(dataset_name=str(path))).report == first.report
    path.write_text(json.dumps({**row, "chosen": "another"}) + "\n")
    second = data.pairs(data.DataArguments(dataset_name=str(path)))
    assert second.train["chosen"] == ["another"]
    assert second.report["sha256"] != first.report["sha256"]


def test_columns_of_others_are_left_alone(data, tmp_path, rows):
    pq.write_table(pa.Table.from_pylist([{**row, "score": None, "tools": 3} for row in rows]), tmp_path / "a.parquet")
    found = data.pairs(data.DataArguments(dataset_name=str(tmp_path)))
    assert set(found.train.column_names) == {"prompt", "chosen", "rejected", "place"}
    assert found.train["place"][0] == f"{tmp_path.name}, row 1"

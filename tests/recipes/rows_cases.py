"""Rows as people have them, small: what `codepref train` is to make of each file.

`python tests/recipes/rows_cases.py [DIR]` runs `codepref train` on every file (of DIR, else of the cases below) with the
tiny checkpoint and prints a table: file, method, exit code, the line that was said.
"""

import contextlib
import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD, BAD = "def f(x):\n    return x + {}\n", "def f(x):\n    return x - {}\n"


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def ask(i):
    return f"Write a function f(x) that adds {i}.\n"


def pairs(count=4, **changes):
    """Pairs; `changes` name a column and a function of (number, what is there)."""
    rows = [{"prompt": ask(i), "chosen": GOOD.format(i), "rejected": BAD.format(i)} for i in range(count)]
    return [{**row, **{key: make(i, row) for key, make in changes.items()}} for i, row in enumerate(rows)]


def third(value):
    return lambda i, row: value if i == 2 else row["chosen"]


def labels(*given):
    return [
        {"prompt": ask(i), "completion": (GOOD if i % 2 == 0 else BAD).format(i), "label": label}
        for i, label in enumerate(given)
    ]


def whole(side):
    return lambda i, row: [user(row["prompt"]), assistant(row[side])]


def sharegpt(i, row):
    return [{"from": "system", "value": "Write Python."}, {"from": "human", "value": row["prompt"]}]


def drop(rows, *columns):
    return [{key: value for key, value in row.items() if key not in columns} for row in rows]


def spans(value):
    return pairs(chosen_spans=lambda i, row: value if i == 2 else [[10, 24]], rejected_spans=lambda i, row: [[10, 24]])


LONG = "# the same\n" * 150
CASES = {
    # name: (method, rows or bytes, what is said; None: it trains)
    "plain.jsonl": ("dpo", pairs(), None),
    "messages.jsonl": ("dpo", pairs(
        prompt=lambda i, row: [user(row["prompt"])], chosen=lambda i, row: [assistant(row["chosen"])],
        rejected=lambda i, row: [assistant(row["rejected"])]), None),
    "ultrafeedback.jsonl": ("dpo", pairs(
        chosen=whole("chosen"), rejected=whole("rejected"), messages=whole("chosen"), score_chosen=lambda *_: 8.5), None),
    "whole_conversations.jsonl": ("dpo", pairs(
        prompt=lambda i, row: [user(row["prompt"])], chosen=whole("chosen"), rejected=whole("rejected")), None),
    "no_prompt.jsonl": ("dpo", drop(pairs(chosen=whole("chosen"), rejected=whole("rejected")), "prompt"), None),
    "dialogue.jsonl": ("dpo", drop(pairs(
        chosen=lambda i, row: f"\n\nHuman: {ask(i)}\n\nAssistant: {row['chosen']}",
        rejected=lambda i, row: f"\n\nHuman: {ask(i)}\n\nAssistant: {row['rejected']}"), "prompt"), None),
    "sharegpt.jsonl": ("dpo", drop(pairs(
        conversations=sharegpt, chosen=lambda i, row: {"from": "gpt", "value": row["chosen"]},
        rejected=lambda i, row: {"from": "gpt", "value": row["rejected"]}), "prompt"), None),
    "sharegpt_sft.jsonl": ("sft", drop(pairs(
        conversations=lambda i, row: [*sharegpt(i, row), {"from": "gpt", "value": row["chosen"]}]),
        "prompt", "chosen", "rejected"), None),
    "messages_sft.jsonl": ("sft", drop(pairs(messages=whole("chosen")), "prompt", "chosen", "rejected"), None),
    "text_sft.jsonl": ("sft", [{"text": GOOD.format(i)} for i in range(4)], None),
    "repeated.jsonl": ("dpo", pairs(
        chosen=lambda i, row: row["prompt"] + row["chosen"], rejected=lambda i, row: row["prompt"] + row["rejected"]), None),
    "labels_bool.jsonl": ("kto", labels(True, False, True, False), None),
    "labels_int.jsonl": ("kto", labels(1, 0, 1, 0), None),
    "labels_words.jsonl": ("kto", labels("true", "False", "good", "bad"), None),
    "null.jsonl": ("dpo", pairs(chosen=third(None)), "null.jsonl, line 3: chosen is null; give text"),
    "number.jsonl": ("dpo", pairs(chosen=third(7)), "number.jsonl, line 3: chosen is the number 7; give text"),
    "empty.jsonl": ("dpo", pairs(chosen=third(" \n")), "empty.jsonl, line 3: chosen is empty; give text"),
    "list.jsonl": ("dpo", pairs(chosen=third(["a"])), "list.jsonl, line 3: chosen is a list with a str in it"),
    "null_content.jsonl": ("dpo", pairs(chosen=lambda i, row: [assistant(None if i == 1 else "x")],
        rejected=lambda i, row: [assistant("y")]), "null_content.jsonl, line 2: chosen: content of a message is null"),
    "role.jsonl": ("dpo", pairs(chosen=lambda i, row: [{"role": "model", "content": "x"}],
        rejected=lambda i, row: [assistant("y")]), "role.jsonl, line 1: chosen has a message with the role 'model'"),
    "mixed.jsonl": ("dpo", [*pairs(2), *pairs(2, chosen=lambda i, row: [assistant("x")],
        rejected=lambda i, row: [assistant("y")])], "mixed.jsonl, line 3: has messages, where mixed.jsonl, line 1 has text"),
    "mixed_sides.jsonl": ("dpo", pairs(chosen=lambda i, row: [assistant("x")]), "line 1: chosen and rejected are not of one"),
    "alike.jsonl": ("dpo", pairs(rejected=lambda i, row: row["chosen"]), "are the same in all 4 rows; nothing can be learnt"),
    "no_column.jsonl": ("dpo", drop(pairs(), "rejected"), "line 1: no column rejected (it has prompt, chosen); give a dataset"),
    "surrogate.jsonl": ("dpo", pairs(chosen=third("x\ud800")), "line 3: chosen has half a surrogate pair at character 2"),
    "stars.jsonl": ("kto", labels(5, 1, 4, 2), "stars.jsonl, line 1: label is 5, a score"),
    "shares.jsonl": ("kto", labels(1, 0, 0.9, 0.1), "shares.jsonl, line 3: label is 0.9, a score"),
    "label_null.jsonl": ("kto", labels(True, None, True, False), "label_null.jsonl, line 2: label is null; give true or false"),
    "label_word.jsonl": ("kto", labels(True, "maybe"), "label_word.jsonl, line 2: label is 'maybe'; give true or false"),
    "labels_of_sft.jsonl": ("sft", labels("false", "false"), "all 2 rows are labelled bad; SFT trains on those labelled good"),
    "one_class.jsonl": ("kto", labels(True, True, True), "there are 3 and 0; give rows of both labels"),
    "class_too_long.jsonl": ("kto", [*labels(True), {"prompt": LONG, "completion": "x", "label": False}, *labels(True)],
        "there are 2 and 0 (1 had no room in max_length; raise it)"),
    "behind.jsonl": ("dpo", pairs(chosen=lambda i, row: LONG + "x", rejected=lambda i, row: LONG + "y"),
        "the same within max_length 256 in all 4 pairs that have room"),
    "spans_null.jsonl": ("focal_dpo", spans(None), "spans_null.jsonl, line 3: chosen_spans is null"),
    "spans_behind.jsonl": ("focal_dpo", spans([[10, 999]]), "line 3: chosen_spans has [10, 999]; give [start, stop] within"),
    "no_spans.jsonl": ("focal_dpo", pairs(), "no column chosen_spans, rejected_spans"),
    "latin1.jsonl": ("dpo", json.dumps(pairs(1)[0]).replace("adds", "\xe4dds").encode("latin1"),
        "latin1.jsonl, line 1: not UTF-8 text (byte"),
    "broken.jsonl": ("dpo", b'{"prompt": "p", "chosen": "c", "rejected": "r"}\n\n{"prompt": "p", "chosen\n',
        "broken.jsonl, line 3: not JSON"),
    "nothing.jsonl": ("dpo", b"", "nothing.jsonl: has no rows; give"),
    "cut.jsonl.gz": ("dpo", gzip.compress(json.dumps(pairs(1)[0]).encode() * 9)[:-20], "the gzip stream is damaged"),
    "not.parquet": ("dpo", b"PAR1 and no more", "not a whole Parquet file"),
}  # fmt: skip


def write(folder, name):
    """The file of a case; its method and what is to be said."""
    method, content, said = CASES[name]
    if not isinstance(content, bytes):
        content = "".join(json.dumps(row) + "\n" for row in content).encode()
    (folder / name).write_bytes(content)
    return method, said


def method_of(name):
    """The recipe for a file, by its name."""
    heads = {"kto": "kto", "focal": "focal_dpo"}
    return next((method for head, method in heads.items() if name.startswith(head)), "dpo")


def table(paths, methods, scratch):
    """Runs `codepref train` on each file and prints what it said last."""
    model = scratch / "model"
    subprocess.run([sys.executable, ROOT / "recipes" / "tiny" / "model.py", model], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    keys = [f"model_name_or_path={model}", "use_cpu=true", "bf16=false", "gradient_checkpointing=false", "max_length=256",
            "per_device_train_batch_size=2", "max_steps=2", "save_strategy=no", "report_to=none", "disable_tqdm=true"]  # fmt: skip
    print("| file | method | exit code | said |\n| --- | --- | --- | --- |")
    for path in paths:
        words = [f"--set={key}" for key in (*keys, f"dataset_name={path}", f"output_dir={scratch / 'out'}")]
        command = [sys.executable, "-m", "codepref.cli", "train", methods(path.name), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("warning: ", "saved"))]
        lines += [line for line in done.stderr.splitlines() if "error: " in line]
        lines += ["TRACEBACK"] if "Traceback" in done.stdout + done.stderr else []
        print(f"| {path.name} | {methods(path.name)} | {done.returncode} | {'; '.join(lines)} |", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, contextlib.suppress(KeyboardInterrupt):
        own = Path(name) / "rows"
        own.mkdir()
        if len(sys.argv) > 1:
            table(sorted(Path(sys.argv[1]).glob("*.jsonl")), method_of, Path(name))
        else:
            for case in CASES:
                write(own, case)
            table(sorted(own.iterdir()), lambda case: CASES[case][0], Path(name))

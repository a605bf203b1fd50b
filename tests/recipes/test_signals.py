"""What rows say about their labels: which are kept, in which order, and what is refused in one line."""

import json

import pytest

from codepref.errors import CodeprefError

SIGNALS = [(0.0, 0.0, "KeyError"), (0.2, 0.1, "WrongResult"), (0.29, 0.79, "WrongResult"), (0.3, 0.0, "TypeError"),
           (0.1, 0.8, "WrongResult"), (1.5, 0.0, "KeyError")]  # fmt: skip


@pytest.fixture
def told(rows, tmp_path):
    """A file of six pairs with the columns of `training_columns: true`; changes go to its third line."""

    def write(**changes):
        made = []
        for number, (entropy, crashes, error) in enumerate(SIGNALS):
            said = {"semantic_entropy": entropy, "crash_rate": crashes, "rejected_error_type": error}
            row = {**rows[number], **said, "confidence": 0.1 * number, "chosen_consensus": 0.5}
            made.append(row | changes if number == 2 else row)
        path = tmp_path / f"told-{len(list(tmp_path.glob('told-*')))}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in made))
        return str(path)

    return write


@pytest.fixture
def read(told):
    """The rows that a recipe for pairs reads of such a file."""
    from arguments import PairArguments
    from data import pairs

    return lambda changes=None, **settings: pairs(PairArguments(dataset_name=told(**changes or {}), **settings))


def test_nothing_is_listened_to_by_default(read):
    found = read()
    assert set(found.train.column_names) == {"prompt", "chosen", "rejected", "place"}
    assert len(found.train) == 6


def test_the_filter_keeps_what_con_dpo_keeps(read, rows):
    found = read(max_entropy=0.3)
    assert found.train["chosen"][:] == [rows[1]["chosen"], rows[2]["chosen"]]  # above 0, below 0.3, crashes below 0.8
    assert found.report["filtered"] == 4
    assert set(found.train.column_names) == {"prompt", "chosen", "rejected", "place"}
    assert len(read(max_entropy=2.0, max_crash_rate=1.0).train) == 5


def test_rows_in_the_order_of_their_errors(read):
    rare = read(error_order="rare_first").train["rejected_error_type"][:]
    assert rare == ["TypeError", "KeyError", "KeyError", "WrongResult", "WrongResult", "WrongResult"]
    assert read(error_order="frequent_first").train["rejected_error_type"][:] == ["WrongResult"] * 3 + [
        "KeyError", "KeyError", "TypeError",
    ]  # fmt: skip


def test_confidence_and_another_column_of_it(read):
    assert read(label_confidence="soft").train["confidence"][:] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert read(label_confidence="weights", confidence_column="chosen_consensus").train["confidence"][:] == [0.5] * 6


def test_both_sides_of_a_pair_have_its_confidence(told):
    from arguments import PreferenceArguments
    from data import labelled

    found = labelled(PreferenceArguments(dataset_name=told(), label_confidence="weights"), seed=0).train
    assert sorted(found["confidence"][:]) == pytest.approx(sorted([0.1 * n for n in range(6)] * 2))


@pytest.mark.parametrize(
    ("changes", "settings", "said"),
    [
        ({"confidence": None}, {"label_confidence": "soft"}, r"line 3: confidence is None; give a number, 0 to 1"),
        ({"confidence": 1.5}, {"label_confidence": "weights"}, r"line 3: confidence is 1.5; give a number, 0 to 1"),
        ({"confidence": True}, {"label_confidence": "weights"}, r"line 3: confidence is True"),
        ({"confidence": float("nan")}, {"label_confidence": "soft"}, r"line 3: confidence is nan; give a number"),
        ({"confidence": "0.5"}, {"label_confidence": "soft"}, r"line 3: confidence is '0.5'; give a number"),
        ({"confidence": 99 * "a\n"}, {"label_confidence": "soft"}, r"line 3: confidence is .{1,40}; give a number"),
        ({"semantic_entropy": -1}, {"max_entropy": 0.3}, r"line 3: semantic_entropy is -1; give a number, 0 or more"),
        ({"rejected_error_type": ""}, {"error_order": "rare_first"}, r"line 3: rejected_error_type is ''"),
        ({}, {"label_confidence": "soft", "confidence_column": "sure"}, r"line 1: no column sure; .*confidence_column"),
        ({}, {"max_entropy": 1e-9}, r"no row is left, 6 of 6 .* raise max_entropy"),
    ],
)
def test_bad_signals_are_refused_with_their_place(read, changes, settings, said):
    with pytest.raises(CodeprefError, match=said) as found:
        read(changes, **settings)
    assert "\n" not in str(found.value)


def test_bad_signals_can_be_left_out(read):
    found = read({"confidence": None}, label_confidence="soft", skip_bad=True)
    assert (len(found.train), found.report["left out"]) == (5, 1)


@pytest.mark.parametrize(
    ("method", "changes", "said"),
    [
        ("dpo", {"label_confidence": "soft", "loss_type": ["ipo"], "alpha": 0.0}, "ipo: only defined for loss_type"),
        ("dpo", {"label_confidence": "weights", "ld_alpha": 0.5}, "ld_alpha: only defined"),
        ("dpo", {"label_confidence": "weights", "f_divergence_type": "js_divergence"}, "f_divergence_type: only"),
        ("dpo", {"label_confidence": "strong"}, "give none or weights or soft"),
        ("dpo", {"max_entropy": 0.0}, "leaves no row"),
        ("dpo", {"max_crash_rate": 80}, "give a share"),
        ("dpo", {"max_crash_rate": 0.5}, "max_crash_rate: does nothing by itself; set max_entropy"),
        ("kto", {"confidence_column": "sure"}, "confidence_column: does nothing by itself; set label_confidence"),
        ("dpo", {"error_order": "rare_first", "train_sampling_strategy": "group_by_length"}, "give one of them"),
        ("dpo", {"label_confidence": "weights"}, "no column confidence; give a dataset of CodeDPO"),
        ("dpo", {"max_entropy": 0.3}, "no column semantic_entropy; build it with training_columns"),
        ("kto", {"label_confidence": "soft"}, "KTO has no pair"),
        ("kto", {"error_order": "rare_first"}, "unknown key 'error_order'"),
        ("sft", {"label_confidence": "weights"}, "unknown key 'label_confidence'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(train, method, changes, said):
    with pytest.raises(CodeprefError, match=said) as found:
        train(method, **changes)
    assert "\n" not in str(found.value)


def test_weights_that_are_all_zero_are_refused(train, rows, tmp_path):
    path = tmp_path / "unsure.jsonl"
    path.write_text("".join(json.dumps({**row, "confidence": 0}) + "\n" for row in rows))
    for method in ("dpo", "kto"):
        with pytest.raises(CodeprefError, match=r"confidence is 0 in all \d+ rows, so nothing"):
            train(method, dataset_name=str(path), label_confidence="weights")


def test_a_run_reads_the_rows_in_their_order(train, told, monkeypatch):
    import confident

    path, seen = told(), []
    inner = confident.ConfidentPairTrainer._compute_loss

    def watch(self, model, inputs, return_outputs):
        seen.append(inputs["input_ids"][0].tolist())
        return inner(self, model, inputs, return_outputs)

    monkeypatch.setattr(confident.ConfidentPairTrainer, "_compute_loss", watch)
    options = {"dataset_name": path, "per_device_train_batch_size": 1, "max_steps": 6, "chosen_guard": "off"}
    trainer = train("dpo", **options, error_order="rare_first")
    expected = [row["prompt_ids"] + row["chosen_ids"] for row in trainer.train_dataset]
    assert [ids[: len(wanted)] for ids, wanted in zip(seen, expected, strict=True)] == expected
    order = {"TypeError": 1, "KeyError": 2, "WrongResult": 3}
    assert list(trainer.manifest["checks"]["errors in order"].items()) == list(order.items())

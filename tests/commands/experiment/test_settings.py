"""How what a recipe says of a training's settings is told: at their line, without the words of a command."""

from pathlib import Path

from codepref.commands.experiment.settings import _worded

FILE = """trainings:
  b:
    data: codedpo
    settings: {num_train_epochs: many, lora: {r: 1}}
"""
SAID = "recipes/tiny/dpo_lora.yaml: argument --num_train_epochs/--num-train-epochs: invalid float value: 'many'"


def test_the_line_of_the_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE)
    settings = {"num_train_epochs": "many", "lora": {"r": 1}}
    told = _worded(SAID, ("trainings", "b"), settings, path, [])
    assert str(told) == f"{path}, line 4: trainings.b.settings: num_train_epochs: not a float: 'many'"
    nested = _worded("command line: unknown key 'lora.r'", ("trainings", "b"), settings, path, [])
    assert str(nested) == f"{path}, line 4: trainings.b.settings: unknown key 'lora.r'"
    given = _worded(SAID, ("trainings", "b"), settings, path, ["trainings.b.settings.num_train_epochs=many"])
    assert str(given).startswith("--set trainings.b.settings.num_train_epochs=many: trainings.b.settings: num_train")


def test_the_key_stays_where_the_recipe_begins_with_it(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("trainings:\n  b:\n    settings: {max_entropy: 0}\n")
    told = _worded("max_entropy: 0.0 leaves no row", ("trainings", "b"), {"max_entropy": 0}, path, [])
    assert str(told) == f"{path}, line 3: trainings.b.settings: max_entropy: 0.0 leaves no row"


def test_what_speaks_of_no_setting_is_told_at_its_part(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FILE)
    told = _worded("none.yaml: no such file", ("trainings", "b"), {}, path, [])
    assert str(told) == f"{path}, line 2: trainings.b: none.yaml: no such file"

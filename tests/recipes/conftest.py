import json
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes"
sys.path.insert(0, str(RECIPES))
PAIRS = RECIPES / "tiny" / "pairs.jsonl"


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    import datasets
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setenv("TQDM_DISABLE", "1")
        # threads that wait for each other on a busy machine take ten times as long
        patch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        datasets.disable_progress_bars()
        yield
        datasets.enable_progress_bars()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The tiny checkpoint, as a user makes it."""
    sys.path.insert(0, str(RECIPES / "tiny"))
    folder = tmp_path_factory.mktemp("tiny") / "model"
    import_module("model").make(folder)
    return folder


@pytest.fixture(scope="session")
def words(tiny):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


@pytest.fixture
def rows():
    return [json.loads(line) for line in PAIRS.read_text().splitlines()]


@pytest.fixture
def settings(tiny, tmp_path):
    """Exact arithmetic on the CPU: a run is the same every time."""
    return {
        "model_name_or_path": str(tiny),
        "dataset_name": str(PAIRS),
        "output_dir": str(tmp_path / "out"),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "max_length": 256,
        "max_steps": 2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


@pytest.fixture
def configure(settings, tmp_path):
    """Writes a configuration; the arguments beat the defaults above."""

    def write(**changes):
        path = tmp_path / f"config-{len(list(tmp_path.glob('config-*')))}.yaml"
        path.write_text(yaml.safe_dump({**settings, **changes}))
        return str(path)

    return write


@pytest.fixture
def train(configure):
    """Runs a recipe in this process; gives its trainer."""

    def run(method, **changes):
        return import_module(method).main(["--config", configure(**changes)])

    return run


LORA = {"use_peft": True, "lora_r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "lora_target_modules": "all-linear"}
QLORA = {**LORA, "load_in_4bit": True, "use_bnb_nested_quant": True, "dtype": "bfloat16", "bf16": True}


@pytest.fixture(scope="session")
def lora():
    return LORA


@pytest.fixture(scope="session")
def qlora():
    return QLORA


def losses_of(trainer):
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.fixture(scope="session")
def losses():
    return losses_of

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from codepref.errors import CodeprefError
from codepref.generate.tiny import text
from codepref.generate.tiny.backend import CHECKPOINT
from codepref.generate.tiny.network import Network
from codepref.generate.tiny.tasks import tasks


@pytest.fixture(scope="module")
def hub():
    return AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def ids():
    words = AutoTokenizer.from_pretrained(CHECKPOINT)
    return [words(text.test_prompt(task.prompt))["input_ids"] for task in tasks("heldout", 4, 0)]


def test_the_checkpoint_is_small_and_complete():
    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) < 8e6
    shape = json.loads((CHECKPOINT / "config.json").read_text())
    assert shape["intermediate_size"] % 64 == 0, "4-bit layers on the CPU need blocks of 64"
    assert shape["pad_token_id"] not in (0, None) and shape["eos_token_id"] not in (0, None)
    assert (CHECKPOINT / "README.md").read_text().startswith("---\n")


def test_logits_are_those_of_transformers(hub, ids):
    network = Network(CHECKPOINT)
    longest = max(map(len, ids))
    pads = torch.tensor([longest - len(row) for row in ids])
    padded = torch.tensor([[0] * (longest - len(row)) + row for row in ids])
    with torch.inference_mode():
        cache = network.cache(pads, longest + 3)
        logits = network.forward(padded, cache, 0)
        for step in range(3):
            wanted = torch.stack([hub(torch.tensor([row])).logits[0, -1] for row in ids])
            torch.testing.assert_close(logits, wanted, atol=2e-4, rtol=0)
            tokens = wanted.argmax(-1)
            ids = [[*row, int(token)] for row, token in zip(ids, tokens, strict=True)]
            logits = network.forward(tokens[:, None], cache, longest + step)


def test_rows_of_a_cache_go_on_as_they_would_have(ids):
    network = Network(CHECKPOINT, torch.float64)
    rows = torch.tensor([row[:10] for row in ids])
    with torch.inference_mode():
        cache = network.cache(torch.zeros(len(ids), dtype=torch.long), 12)
        network.forward(rows, cache, 0)
        some = cache.rows(torch.tensor([2, 0, 2]), 10)
        token = torch.tensor([[9], [9], [9], [9]])
        whole, part = network.forward(token, cache, 10), network.forward(token[:3], some, 10)
    torch.testing.assert_close(part, whole[[2, 0, 2]])


def test_other_models_are_refused_in_one_line(tmp_path):
    with pytest.raises(CodeprefError, match="no checkpoint"):
        Network(tmp_path)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(CHECKPOINT / name, tmp_path)
    shape = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**shape, "num_key_value_heads": 1}))
    with pytest.raises(CodeprefError, match="use the generation backend `local`"):
        Network(tmp_path)

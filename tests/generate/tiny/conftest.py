import pytest
import torch

from codepref.generate.tiny import tokenizer


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """PyTorch's own threads wait for each other on a busy machine; matrices this small do not need them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def trained_tokenizer():
    return tokenizer.train_tokenizer()

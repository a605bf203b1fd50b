"""Which model is asked, and by what: the one place where a generator is made, for builders and evaluation alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from codepref.errors import CodeprefError
from codepref.files import file_hash
from codepref.generate.base import Generator, Price, Sampling
from codepref.generate.cache import Cache
from codepref.generate.local import LocalConfig, LocalGenerator, identity
from codepref.generate.scripted import ScriptedGenerator, read_script
from codepref.generate.server import ServerConfig, ServerGenerator
from codepref.generate.tiny.backend import TinyConfig, TinyGenerator


@dataclass(frozen=True)
class Backend:
    """Where texts come from; exactly one of the first four is given."""

    server: ServerConfig | None = None
    """An OpenAI-compatible server, or several of one model; this, `local`, `tiny` or `script`."""
    local: LocalConfig | None = None
    """A model that runs here, with transformers."""
    script: str | None = None
    """Answers known in advance, for dry runs: JSON lines `{"prompt_id", "purpose", "answers"}`."""
    tiny: TinyConfig | None = None
    """The tiny model, on this machine; for prompts of its own family (`codepref tiny prompts`)."""
    price_per_million: Price | None = None
    """For the cost in `--dry-run` and `--estimate`, and while servers are asked."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """Servers are asked nothing more when all answers in the run's folder together cost this; what they are just
    writing is still paid for."""


def answer_options(backend: Backend) -> dict[str, Any]:
    """What changes the answers of a backend, besides model and sampling."""
    if backend.local is not None:
        return identity(backend.local)
    if backend.tiny is not None:
        return {name: getattr(backend.tiny, name) for name in ("test_temperature", "tests_per_answer")}
    if backend.server is None:
        return {"script": file_hash(backend.script)} if backend.script else {}
    server = backend.server
    return {"api": server.api, "batch_choices": server.batch_choices, "extra": dict(server.extra)}


@contextmanager
def connected(
    backend: Backend, sampling: Sampling, cache: Path, seed: int, say: Callable[[str], None] = lambda line: None
) -> Iterator[Generator]:
    """The generator of a backend, for as long as it is needed.

    Args:
        backend: What to ask.
        sampling: How tokens are drawn.
        cache: File of the request cache.
        seed: Run seed; every sample's own seed is derived from it.
        say: Told what happens to servers.

    Raises:
        CodeprefError: not exactly one backend is given, or what it needs is missing.
    """
    backends = [backend.server, backend.local, backend.tiny, backend.script]
    if sum(backend is not None for backend in backends) != 1:
        raise CodeprefError(
            "configuration: 'generation' needs either 'server' (model, base_url), 'local' (model), 'tiny' or "
            "'script' (a file)"
        )
    price, most = backend.price_per_million, backend.max_cost
    if most is not None and (backend.server is None or price is None):
        raise CodeprefError("configuration: 'generation.max_cost' needs a 'server' and its 'price_per_million'")
    if backend.script is not None:
        yield ScriptedGenerator(read_script(backend.script), run_seed=seed, choose="seed")
        return
    with Cache(cache) as answers:
        if backend.server is not None:
            yield ServerGenerator(backend.server, sampling, answers, seed, price, most, say)
        elif backend.local is not None:
            yield LocalGenerator(backend.local, sampling, answers, run_seed=seed)
        elif backend.tiny is not None:
            yield TinyGenerator(backend.tiny, sampling, answers, run_seed=seed)

"""How far a model has come with its answers, on a progress bar."""

from typing import Any

from codepref.generate.base import Completion, OnDone, Request, Stats


def counting(bar: Any, stats: Stats) -> OnDone:
    """Makes a tqdm bar of samples follow a generator's `stats`; returns what `generate` is to be given as `on_done`.

    Samples count when they have ended, tokens as they are written where the backend can tell, else with their sample.
    """
    complete = 0

    def show() -> None:
        missing = int(bar.total - complete - stats.partial)
        bar.set_postfix_str(stats.progress(missing), refresh=False)
        bar.update(complete + stats.partial - bar.n)

    def count(_: Request, done: list[Completion]) -> None:
        nonlocal complete
        complete += len(done)
        show()

    stats.on_written = show
    return count

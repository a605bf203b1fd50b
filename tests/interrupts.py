"""Programs that a test interrupts, also where the tests themselves run with Ctrl-C ignored (`nohup`, `&` in scripts)."""

import signal
import subprocess
from typing import Any


def started(command: list[str], *, ctrl_c: bool = True, **options: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen` of a program that Ctrl-C reaches, or that is started as by `nohup`.

    A process inherits an ignored signal from its parent; a signal that the parent handles is as new in it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler if ctrl_c else signal.SIG_IGN)
    try:
        return subprocess.Popen(command, **options)
    finally:
        signal.signal(signal.SIGINT, before)

"""`accelerate launch` that ends as its program does: with its exit code, and never before it.

What is launched by itself (one process) is started and waited for by accelerate, which would leave it running when a
signal ends the launcher: a training that nobody sees any more and that keeps the GPU. Several processes are torchrun's,
which passes signals on itself.
"""

import contextlib
import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

import psutil
from accelerate.commands.launch import main as launch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

PATIENCE_S = 30
"""How long the program may take over its end."""


def main() -> int:
    """Runs `accelerate launch` with the words of the command line; the exit code of the program."""
    signal.signal(signal.SIGTERM, _pass_on)
    try:
        launch()
    except subprocess.CalledProcessError as error:
        return _code(error.returncode)
    except ChildFailedError as error:
        return _code(error.get_first_failure()[1].exitcode)
    except SignalException as error:
        return 128 + error.sigval
    except KeyboardInterrupt:  # Ctrl-C, which the program has seen too
        _wait_for_all()
        return 128 + signal.SIGINT
    return 0


def _code(returned: int) -> int:
    """An exit code as shells have it, where a signal has ended the program."""
    return returned if returned >= 0 else 128 - returned


def _pass_on(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # once is enough
    for program in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            program.terminate()
    _wait_for_all()
    sys.exit(128 + number)


def _wait_for_all() -> None:
    """Until every process that was started here has ended, by force if it takes too long."""
    _, left = psutil.wait_procs(psutil.Process().children(), PATIENCE_S)
    for program in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            program.kill()


if __name__ == "__main__":
    sys.exit(main())

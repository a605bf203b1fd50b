"""A recipe as a program: exit codes, one line for what the user can mend, and what a signal ends."""

import contextlib
import functools
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil
import torch
import transformers

from codepref.errors import CodeprefError

USER_ERROR, INTERRUPTED = 2, 130
GO_ON = "go on from the last checkpoint with --resume_from_checkpoint last"


def launched(main: Callable[[], Any]) -> None:
    """Runs a recipe as a program: what the user can mend is one line and exit code 2.

    SIGTERM ends it at once, and the processes that it reads rows with (`dataset_num_proc`), which would wait for ever.
    """
    transformers.logging.set_verbosity_warning()
    # of several processes one may wait for another one in a call that no handler interrupts
    if os.environ.get("WORLD_SIZE", "1") == "1":
        signal.signal(signal.SIGTERM, functools.partial(_stop, os.getpid()))
    code = code_of(main)
    if torch.distributed.is_initialized():  # an error has ended the run: the same order as in `recipe.end`
        gc.collect()
        torch.distributed.destroy_process_group()
    sys.exit(code)


def _stop(recipe: int, number: int, frame: FrameType | None) -> NoReturn:
    """Ends the recipe, or a process that it has made, which has inherited this."""
    if os.getpid() == recipe:
        line = f"{Path(sys.argv[0]).name}: error: stopped; {GO_ON}\n"
        os.write(sys.stderr.fileno(), line.encode())  # `print` may be what was interrupted
        made = [program.pid for program in psutil.Process().children(recursive=True)]
        for program in made:  # nothing between this and the end: a pool replaces what is missing
            with contextlib.suppress(ProcessLookupError):
                os.kill(program, number)
    os._exit(128 + number)


def code_of(main: Callable[[], Any]) -> int:
    """Exit code of a recipe, which is run; what the user can mend is told in one line."""
    try:
        main()
    except BaseException as error:
        told = _told(error)
        if told is None:
            raise
        said, code = told
    else:
        return 0
    if os.environ.get("LOCAL_RANK", "0") == "0" or code != USER_ERROR:  # once a machine, not once a process
        print(f"{Path(sys.argv[0]).name}: error: {said}", file=sys.stderr)
    return code


def _told(error: BaseException) -> tuple[str, int] | None:
    """One line and the exit code for what the user has done or can mend; None for anything else."""
    if _is_interrupted(error):
        return f"interrupted; {GO_ON}", INTERRUPTED
    if isinstance(error, CodeprefError):
        return str(error), USER_ERROR
    if isinstance(error, torch.OutOfMemoryError):
        first = str(error).partition(". ")[0]
        return f"{first}; lower per_device_train_batch_size or max_length, or set load_in_4bit", USER_ERROR
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}; checkpoints that were finished are kept", USER_ERROR
    return None


def _is_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: what cleans up after it may fail in turn, such as a pool that reads rows."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None

"""`accelerate launch` that ends with its program's exit code, without a trace of its own behind what that said."""

import subprocess
import sys

from accelerate.commands.launch import main as launch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main() -> int:
    """Runs `accelerate launch` with the words of the command line; the exit code of the program."""
    try:
        launch()
    except subprocess.CalledProcessError as error:
        return error.returncode
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    return 0


if __name__ == "__main__":
    sys.exit(main())

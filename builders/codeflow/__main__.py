"""`python -m builders.codeflow` is `codepref build codeflow`."""

import sys

from codepref.cli import main

sys.exit(main(["build", "codeflow", *sys.argv[1:]]))

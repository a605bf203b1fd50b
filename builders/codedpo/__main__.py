"""`python -m builders.codedpo` is `codepref build codedpo`."""

import sys

from codepref.cli import main

sys.exit(main(["build", "codedpo", *sys.argv[1:]]))

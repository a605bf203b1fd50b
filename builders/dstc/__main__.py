"""`python -m builders.dstc` is `codepref build dstc`."""

import sys

from codepref.cli import main

sys.exit(main(["build", "dstc", *sys.argv[1:]]))

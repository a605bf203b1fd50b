"""The command line without a process of its own: a second less for each call."""

import contextlib
import io
from types import SimpleNamespace

from codepref import cli


def run(*words):
    """Exit code and what was printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(word) for word in words])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())

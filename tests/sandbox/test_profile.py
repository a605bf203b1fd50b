"""What a candidate may do is a limit like any other: it can be set wherever limits can."""

from dataclasses import replace

import pytest

from codepref.sandbox import Job, Limits, Sandbox
from codepref.sandbox.calls import Caller, Calls, pack

WRITES = """def f(x):
    with open("scratch", "w") as file:
        file.write(str(x + 1))
    with open("scratch") as file:
        return int(file.read())
"""
JOB = Job("writes", (WRITES,), ("assert f(1) == 2",), "f")
CALLS = Calls("f", (pack([[1], [2]]),), (2,), 1.0, 10.0)


@pytest.mark.parametrize(("profile", "verdict"), [("function", "failed"), ("library", "passed")])
def test_limits_name_the_profile(profile, verdict):
    with Sandbox(Limits(profile=profile)) as sandbox:
        assert sandbox.run(JOB).cells[0][0].verdict == verdict


def test_an_option_comes_before_the_limits():
    with Sandbox(Limits(profile="library"), profile="function") as sandbox:
        assert sandbox.run(JOB).cells[0][0].verdict == "failed"
    with pytest.raises(ValueError, match="profile"):
        Sandbox(replace(Limits(), profile="everything"))


def test_called_functions_have_it_too():
    for profile, ended in ("function", "failed"), ("library", None):
        with Caller(Limits(profile=profile)) as caller:
            for (found,) in (caller.call(WRITES, CALLS), caller.look(WRITES, CALLS)):
                assert found.ended == ended, found.error

"""Runs untrusted code and says what happened: the only place in codepref where candidate code is executed."""

from codepref.sandbox.base import (
    VERDICTS,
    Cell,
    Job,
    Limits,
    Matrix,
    Mode,
    Profile,
    SandboxUnavailable,
    Verdict,
)
from codepref.sandbox.pool import execute
from codepref.sandbox.probe import Probe, probe
from codepref.sandbox.supervisor import Sandbox, layers

__all__ = [
    "VERDICTS",
    "Cell",
    "Job",
    "Limits",
    "Matrix",
    "Mode",
    "Probe",
    "Profile",
    "Sandbox",
    "SandboxUnavailable",
    "Verdict",
    "execute",
    "layers",
    "probe",
]

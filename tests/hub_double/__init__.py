"""A small Hub of our own: real HTTP on loopback, everything in memory, faults on demand.

It refuses what the real one refuses (no token, read-only token, a parent that is not the head, a large file that never
arrived, a tag that exists, YAML that is none), so that a client which passes here has done its part. What it leaves out:
pull requests, discussions, gated repositories, quotas, search.
"""

from hub_double.server import Fault, Hub
from hub_double.storage import Repo

__all__ = ["Fault", "Hub", "Repo"]

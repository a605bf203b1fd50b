"""The worker: a sandboxed fork server that runs candidates. Stand-alone standard-library files for any CPython >= 3.8.

serve.py      the server: imports libraries once, locks itself down, forks, enforces limits, answers
report.py     where those write what happened
candidate.py  what runs in the forked children: compiles a program and runs it on tests
calls.py      what runs instead where one function is called on many inputs
image.py      values as plain data
harmless.py   which programs may share a process

It is started by isolation.py as PID 1 of its namespaces with requests on descriptor 10 and answers on 11. The server
itself only forks, watches and copies bytes: untrusted text is compiled and run in forked children alone. A child
reports through shared pages, without a system call, so whatever it finished survives its death. A child never holds an
expected value: it is given programs and the calls to make, and returns plain data.
"""

import struct

REQUESTS, ANSWERS = 10, 11
HEAD = struct.Struct("<Q")  # bytes used
RECORD = struct.Struct("<IIBBIf")  # program, test, slot, status, bytes of data, CPU seconds since the previous record
ANSWER = struct.Struct("<iBdI")  # wait status, why it was killed, CPU seconds, bytes of records
ENDING = struct.Struct("<iBd")  # data of a KILLED record: wait status, why, CPU seconds
VALUE, RAISED, OPAQUE, UNCOMPILED, IMPURE, TOO_LARGE, NO_MEMORY, LOADED, DONE, NO_TEST, KILLED, REVISED = range(12)
ENDED, CPU_LIMIT, WALL_LIMIT, LOAD_LIMIT = range(4)
CELLS, SHARED = 0, 1  # how programs run: one process a test, or all in one process
MODULE = "solution"  # name of the candidate's module

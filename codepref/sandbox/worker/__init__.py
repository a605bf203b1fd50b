"""The worker: a sandboxed fork server that runs candidates. Stand-alone standard-library files for any CPython >= 3.8.

serve.py      the server: imports libraries once, forks, answers
lock.py       what it gives up before that, and what every process of a candidate gives up besides
watch.py      waits for a process, enforces its limits, removes what it left
report.py     where the forked children write what happened
candidate.py  what runs in the forked children: compiles a program and runs it on tests
calls.py      what runs instead where one function is called on many inputs
image.py      values as plain data, without their identities
wire.py       the transport: a closed grammar with the constructors of table.py
operations.py what a played test asks of a program: calls, attributes, items
runner.py     runs the text of a test as its own runner would
main.py       runs a whole program that reads standard input, as the interpreter would
streams.py    what a process of a candidate reads and writes, held at the other end
harmless.py   which programs may share a process, with audited.py and reading.py

It is started by isolation.py as PID 1 of its namespaces with requests on descriptor 10 and answers on 11. The server
itself only forks, watches and copies bytes: untrusted text is compiled and run in forked children alone. A child
reports through shared pages, without a system call, so whatever it finished survives its death. A child never holds an
expected value of a test that is judged outside: it is given programs and the calls to make, and returns plain data.

A program that could do harm runs in a process of its own, forked by a child that only compiles. What it writes goes to
pages of its own, which are emptied after it. The child copies them into one `CELL` record and adds what it knows
itself: how the process ended and what CPU time it took. So a program can write what it likes, but in no other's name.
"""

import struct

REQUESTS, ANSWERS = 10, 11
HELD = 200  # first descriptor of folders that the worker's user could not reach by name
HEAD = struct.Struct("<Q")  # bytes used
RECORD = struct.Struct("<IIIBIf")  # program, test, slot, status, bytes of data, CPU seconds since the previous record
ANSWER = struct.Struct("<iBdI")  # wait status, why it was killed, CPU seconds, bytes of records
ENDING = struct.Struct("<iBdd")  # start of a CELL record's data: wait status, why killed, CPU seconds at least, at most
VALUE, RAISED, OPAQUE, UNCOMPILED, IMPURE, TOO_LARGE, NO_MEMORY, LOADED, DONE, NO_TEST, CELL, UNRUNNABLE = range(12)
PRINTED, COMPLAINED = 12, 13  # what a program wrote to standard output and error, as its watcher read it
ENDED, CPU_LIMIT, WALL_LIMIT, LOAD_LIMIT, OUTPUT_LIMIT, NOT_STARTED = range(6)
TROUBLE, OUT_OF_MEMORY, OUT_OF_ROOM = 70, 71, 72  # exit statuses: broke down; no memory, no room for a record
CELLS, SHARED = 0, 1  # how programs run: one process a test, or all in one process
MODULE = "solution"  # name of the candidate's module

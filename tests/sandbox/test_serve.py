"""What a worker's processes share and what they do not: pages, open files, time and signals."""

import mmap

import pytest

from codepref.sandbox import Job, Limits, Sandbox, supervisor, worker
from codepref.sandbox.trial import records
from codepref.sandbox.worker.report import Report, used

LIMITS = Limits(cpu_s=0.4, wall_s=2.0, output_bytes=1 << 20)
OWN = "class K: pass\n"  # a class is made: the program gets a process of its own
FRAME = """
import os, sys, time, struct
class K: pass
def theirs():
    frame = sys._getframe()
    while "report" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["report"]
"""


def verdicts(codes, tests, limits=LIMITS, **options):
    with Sandbox(limits, **options) as sandbox:
        return [[cell.verdict for cell in row] for row in sandbox.run(Job("x", tuple(codes), tuple(tests), "f")).cells]


def test_a_process_of_a_candidate_writes_to_pages_that_are_emptied():
    report = Report(1 << 20, 1000)
    report.use(report.inner)
    report.put(1, 2, 0, worker.VALUE, b"secret")
    report.inner[5000:5006] = b"hidden"
    report.use(report.outer)
    report.seal(1, 2, 0, worker.ENDED, (0.25, 0.5))
    assert bytes(report.inner) == bytes(len(report.inner))
    ((program, test, _, status, _, data),) = records(report.outer[worker.HEAD.size : used(report.outer)])
    assert (program, test, status) == (1, 2, worker.CELL)
    assert worker.ENDING.unpack_from(data) == (0, worker.ENDED, 0.25, 0.5)
    assert data.endswith(b"secret")


@pytest.mark.parametrize("mark", [0, 1, 1 << 40, (1 << 64) - 1])
def test_a_scribbled_mark_stays_within_the_pages(mark):
    pages = mmap.mmap(-1, 1 << 16)
    worker.HEAD.pack_into(pages, 0, mark)
    assert worker.HEAD.size <= used(pages) < 1 << 16


def test_a_candidate_finds_nothing_of_its_neighbour_in_the_pages():
    neighbour = OWN + "def f(x):\n    return 'tiptoe-' + str(8675309)\n"
    thief = FRAME + (
        "def f(x):\n    pages = theirs().pages\n    data = pages[:]\n    at = data.find(b'tiptoe' + b'-')\n"
        "    return data[at : at + 14].decode() if at >= 0 else 'nothing'\n"
    )
    test = "assert f(1) == 'tiptoe-8675309'"
    assert verdicts([neighbour, thief, neighbour], [test, test]) == [["passed"] * 2, ["failed"] * 2, ["passed"] * 2]


def test_the_mark_of_the_pages_starts_no_limit_anew():
    moving = FRAME + (
        "def f(x):\n    pages, begun = theirs().pages, time.@CLOCK@()\n    n = 0\n"
        "    while time.@CLOCK@() - begun < 6:\n        n += 1\n        @STEP@\n"
        "        struct.pack_into('<Q', pages, 0, 8 + n % 1000)\n    return x\n"
    )
    busy = moving.replace("@CLOCK@", "process_time").replace("@STEP@", "pass")
    idle = moving.replace("@CLOCK@", "monotonic").replace("@STEP@", "time.sleep(0.1)")
    assert verdicts([busy, idle], ["assert f(1) == 1"]) == [["timeout"], ["timeout"]]


def test_the_cpu_time_of_children_counts():
    code = (
        "import os, time\ndef f(x):\n    ends, start = os.pipe()\n    pid = os.fork()\n    if pid == 0:\n"
        "        while time.process_time() < 0.8: pass\n        os.write(start, b'x')\n        @CHILD@\n"
        "    os.read(ends, 1)\n    @PARENT@\n    return x\n"
    )
    waits = code.replace("@CHILD@", "os._exit(0)").replace("@PARENT@", "os.waitpid(pid, 0)")
    leaves = code.replace("@CHILD@", "time.sleep(60)").replace("@PARENT@", "pass")
    limits = Limits(cpu_s=0.4, wall_s=10.0)
    assert verdicts([waits, leaves], ["assert f(1) == 1"], limits, profile="library") == [["timeout"], ["timeout"]]


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("print('x' * (1 << 19)); return 1", "passed"),
        ("print('x' * (5 << 20)); return 1", "output"),
        ("theirs().room = 1 << 40; print('x' * (5 << 20)); return 1", "output"),
        ("r = theirs(); r.room = r.output_bytes = 1 << 40; return 'x' * (5 << 20)", "output"),
        ("os.write(1, b'x' * (1 << 19)); return 1", "passed"),
        ("os.write(2, b'x' * (5 << 20)); return 1", "output"),
        ("[os.write(1 + n % 2, b'x' * 9999) for n in range(200)]; return 1", "output"),
    ],
)
def test_output_is_counted_outside(body, verdict):
    assert verdicts([FRAME + f"def f(x):\n    {body}\n"], ["assert f(1)"]) == [[verdict]]


@pytest.mark.parametrize(
    ("change", "look"),
    [
        ("os.set_blocking(@FD@, False)", "os.get_blocking(@FD@)"),
        ("fcntl.fcntl(@FD@, 10, 35)", "fcntl.fcntl(@FD@, 11) == 0"),
        ("fcntl.fcntl(@FD@, 4, os.O_APPEND)", "not fcntl.fcntl(@FD@, 3) & os.O_APPEND"),
    ],
)
def test_no_state_of_an_open_file_outlives_a_candidate(change, look):
    changing = OWN + f"import fcntl, os\ndef f(x):\n    {change}\n    return False\n"
    looking = OWN + f"import fcntl, os\ndef f(x):\n    return {look}\n"
    for fd in "012":
        codes = [code.replace("@FD@", fd) for code in (changing, looking, changing, looking)]
        assert verdicts(codes, ["assert f(1) is True"]) == [["failed"], ["passed"], ["failed"], ["passed"]]


def test_standard_input_is_empty():
    codes = [f"{kind}def f(x):\n    try: input()\n    except EOFError: return 'end'\n" for kind in ("", OWN)]
    codes.append(OWN + "import os\ndef f(x):\n    return 'end' if os.read(0, 9) == b'' else 0\n")
    assert verdicts(codes, ["assert f(1) == 'end'"]) == [["passed"]] * 3


def test_warnings_on_standard_error_block_nobody():
    code = "import os\ndef f(x):\n    os.write(2, b'w' * 20000)\n    return x\n"
    tests = [f"assert f({n}) == {n}" for n in range(8)]
    assert verdicts([code], tests) == [["passed"] * 8]


SERVER = """
import os, resource, signal
class K: pass
def f(x):
    done = []
    for pid in (1, os.getppid()):
        for attack in (
            lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)),
            lambda: os.kill(pid, signal.SIGSTOP),
            lambda: os.sched_setaffinity(pid, {0}),
        ):
            try:
                attack()
                done.append(pid)
            except OSError:
                pass
    return done
"""


@pytest.mark.parametrize("profile", ["function", "library"])
def test_limits_signals_and_affinity_are_of_oneself_alone(profile):
    honest = OWN + "import os\ndef f(x):\n    return [os.close(os.open('/dev/null', 0))] and []\n"
    assert verdicts([SERVER, honest], ["assert f(1) == []"], profile=profile) == [["passed"], ["passed"]]


def test_a_candidate_may_signal_itself():
    code = (
        "import os, signal\ngot = []\ndef f(x):\n    signal.signal(signal.SIGUSR1, lambda *_: got.append(1))\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n    signal.raise_signal(signal.SIGUSR1)\n    return len(got)\n"
    )
    assert verdicts([code], ["assert f(1) == 2"]) == [["passed"]]


def test_a_folder_that_was_closed_is_open_for_the_next_one():
    closing = "import os\ndef f(x):\n    try: os.chmod(os.getcwd(), 0)\n    except OSError: pass\n    return 1\n"
    writing = "import os\ndef f(x):\n    open('file', 'w').close()\n    return os.listdir('.')\n"
    tests = ["assert f(1) == 1", "assert f(1) == ['file']"]
    assert verdicts([closing, writing], tests, profile="library") == [["passed", "failed"], ["failed", "passed"]]


@pytest.mark.parametrize(
    "body",
    [
        "import asyncio\nasync def g(x):\n    await asyncio.sleep(0.01)\n    return x\ndef f(x): return asyncio.run(g(x))\n",
        "import asyncio\nasync def g(x): return x\n"
        "async def h(x): return sum(await asyncio.gather(*[g(1) for _ in range(x)]))\ndef f(x): return asyncio.run(h(x))\n",
        "import asyncio\nasync def g(x): return await asyncio.to_thread(lambda: x)\ndef f(x): return asyncio.run(g(x))\n",
        "import threading\ndef f(x):\n    r = []\n    ts = [threading.Thread(target=r.append, args=(1,)) for _ in range(x)]\n"
        "    [t.start() for t in ts]; [t.join() for t in ts]\n    return len(r)\n",
        "from concurrent.futures import ThreadPoolExecutor\ndef f(x):\n    with ThreadPoolExecutor(4) as pool:\n"
        "        return sum(pool.map(lambda n: 1, range(x)))\n",
        "import socket\nclass K: pass\ndef f(x):\n    a, b = socket.socketpair()\n    a.sendall(b'x' * x)\n    return len(b.recv(99))\n",
    ],
)
@pytest.mark.parametrize("profile", ["function", "library"])
def test_event_loops_and_threads(body, profile):
    assert verdicts([body], ["assert f(7) == 7", "assert f(8) == 7"], profile=profile) == [["passed", "failed"]]


@pytest.mark.parametrize(
    "line",
    [
        "os.fork() and os.wait()",
        "__import__('subprocess').run(['true'])",
        "__import__('multiprocessing').Process(target=print).start()",
        "socket.socket()",
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "[threading.Thread(target=time.sleep, args=(9,)).start() for _ in range(999)]",
    ],
)
def test_threads_bring_no_processes_and_no_network(line):
    code = f"import os, socket, threading, time\ndef f(x):\n    try: {line}\n    except (OSError, RuntimeError): return x\n"
    assert verdicts([code], ["assert f(1) == 1"], Limits(cpu_s=1.0, wall_s=3.0)) == [["passed"]]


def test_a_process_that_can_not_be_started_is_nobodys_fault(monkeypatch):
    refuse = (
        "\nimport os\ndef fork(real=serve.fork, me=os.getpid()):\n    if os.getpid() != me: raise BlockingIOError\n"
        "    return real()\nserve.fork = fork\nserve.main"
    )
    monkeypatch.setattr(supervisor, "_WORKER", supervisor._WORKER.replace("serve.main", refuse, 1))
    code = OWN + "def f(x):\n    return x\n"
    with Sandbox(LIMITS) as sandbox:
        (cell,) = sandbox.run(Job("x", (code,), ("assert f(1) == 1",), "f")).cells[0]
    assert (cell.verdict, "no process could be started" in cell.error) == ("unjudged", True)

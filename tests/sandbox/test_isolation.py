"""What a candidate can reach, who may run it, and that nothing survives the supervisor."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codepref.sandbox import Job, Limits, Sandbox, SandboxUnavailable, isolation, layers, probe
from codepref.sandbox.interpreter import is_installed
from codepref.sandbox.process import WorkerProcess

LIMITS = Limits(cpu_s=0.5, wall_s=3.0, memory_mb=256)
ROOT = str(Path(__file__).resolve().parents[2])
DRIVER = """
import sys
from codepref.sandbox import Job, Sandbox
with Sandbox(profile=sys.argv[1]) as sandbox:
    print("ready", flush=True)
    while True:
        sandbox.run(Job("spin", ("import time\\ndef f(x):\\n    while time.sleep(0) is None: pass",), ("assert f(1)",), "f"))
"""
PEEK = """
import os
def f(x):
    found = []
    for path in ("@SECRET@", "/proc/self", "/etc/passwd", "/etc/shadow"):
        try:
            found += os.listdir(path) if os.path.isdir(path) else [open(path).read()]
        except OSError:
            pass
    return found, sorted(os.environ.get(name, "") for name in ("CODEPREF_SECRET", "USER", "SSH_AUTH_SOCK")), os.getppid()
"""


def worker_processes():
    """Ids of every process that runs a worker, the referee or isolation.py of this checkout.

    What other processes of the same test run have started (`pytest -n 2`) is not among them; what nobody holds is.
    """
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if entry.name.isdigit() and f"{ROOT}/codepref/sandbox" in text:
            above = set(ancestors(int(entry.name)))
            if os.getpid() in above or os.getppid() not in above:
                found.add(int(entry.name))
    return found


def ancestors(pid):
    """The process, its parent, and so on; ends early where one is gone meanwhile."""
    while pid > 1:
        yield pid
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return


def gone(pids, patience_s=10.0):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def children(pid):
    """All descendants of a process."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, fresh = set(), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found |= fresh
    return found


def test_layers_are_reported():
    names = layers()
    assert {"rlimits", "no-new-privs", "seccomp"} <= set(names)
    assert "mount-namespace" in names or "landlock" in names


def test_secrets_are_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setenv("CODEPREF_SECRET", "secret")
    (tmp_path / "secret").write_text("secret")
    with Sandbox(LIMITS) as sandbox:
        job = Job(
            "peek",
            (PEEK.replace("@SECRET@", str(tmp_path / "secret")),),
            ("assert f(1)[0] == []", "assert f(1)[1] == ['', '', '']"),
            "f",
        )
        assert [cell.verdict for cell in sandbox.run(job).cells[0]] == ["passed", "passed"]


@pytest.mark.parametrize("profile", ["function", "library"])
def test_nothing_survives_kill_nine(profile):
    environment = {**os.environ, "PYTHONPATH": ROOT}
    for delay_s in (0.0, 0.03, 0.2, None):
        driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, profile], stdout=subprocess.PIPE, env=environment, text=True
        )
        if delay_s is None:
            assert driver.stdout.readline() == "ready\n"
            time.sleep(0.1)
        else:
            time.sleep(delay_s)
        family = children(driver.pid)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        driver.stdout.close()
        assert gone(family)


def test_close_returns_when_everything_is_gone():
    before = worker_processes()
    with Sandbox(LIMITS, profile="library") as sandbox:
        code = "import subprocess\ndef f(x):\n    subprocess.Popen(['/bin/sleep', '60'], start_new_session=True)\n    return 1"
        assert sandbox.run(Job("daemon", (code,), ("assert f(1) == 1",), "f")).cells[0][0].verdict == "passed"
        assert worker_processes() - before
    assert not worker_processes() - before


def test_files_of_one_test_are_gone_in_the_next():
    code = "import os\ndef f(x):\n    seen = os.listdir('.')\n    os.makedirs('a/b')\n    open('a/b/c', 'w').close()\n    return seen"
    with Sandbox(LIMITS, profile="library") as sandbox:
        job = Job("files", (code,), ("assert f(1) == []",) * 2, "f")
        assert [cell.verdict for cell in sandbox.run(job).cells[0]] == ["passed", "passed"]


def test_landlock_level(monkeypatch):
    monkeypatch.setattr(WorkerProcess, "LEVELS", ("landlock",))
    try:
        sandbox = Sandbox(LIMITS)
    except SandboxUnavailable as error:
        assert "allow" in str(error)
        return
    with sandbox:
        assert "mount-namespace" not in sandbox.layers
        code = "import os\ndef f(x):\n    return os.fork()"
        codes = ("def f(x):\n    return x", PEEK, code)
        cells = sandbox.run(Job("peek", codes, ("assert f(1) == 1", "assert f(1)[0] == []"), "f")).cells
    assert [cells[0][0].verdict, cells[1][1].verdict, cells[2][0].verdict] == ["passed", "passed", "failed"]


def test_no_isolation_is_refused(monkeypatch):
    monkeypatch.setattr(WorkerProcess, "LEVELS", ("none",))
    with pytest.raises(SandboxUnavailable, match="allow_unisolated"):
        Sandbox(LIMITS)


def test_an_interpreter_that_does_not_exist():
    with pytest.raises(SandboxUnavailable, match="pass another"):
        Sandbox(python="/nonexistent/python")


@pytest.mark.skipif(os.geteuid() != 0, reason="drops from root to an ordinary user")
def test_as_an_ordinary_user():
    folder = Path("/var/tmp") / f"codepref-test-{os.getpid()}"
    script = "import json\nfrom codepref.sandbox import probe\np = probe('/usr/bin/python3')\nprint(json.dumps([p.works, p.problem]))"
    python = "/usr/bin/python3"
    if not Path(python).exists():
        pytest.skip("no interpreter outside a private home")
    folder.mkdir()
    try:
        subprocess.run(["cp", "-r", f"{ROOT}/codepref", str(folder / "codepref")], check=True)
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
        done = subprocess.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", python, "-c", script],
            env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == [True, ""]


def test_probe_runs_a_cell():
    facts = probe()
    assert facts.works
    assert facts.problem == ""
    assert facts.layers
    assert not probe("/nonexistent/python").works


# ---- without namespaces, as in the usual container, and what is seen inside


@pytest.fixture(params=["namespaces", "landlock", "seccomp"])
def level(request, monkeypatch):
    if request.param == "landlock" and isolation.landlock_abi() < 1:
        pytest.skip("this kernel has no Landlock")
    if (
        request.param == "seccomp"
        and "profile" in request.fixturenames
        and request.getfixturevalue("profile") == "library"
    ):
        pytest.skip("the library profile needs files, which only namespaces or Landlock can keep apart")
    monkeypatch.setattr(WorkerProcess, "LEVELS", (request.param,))
    return request.param


def look(expression, **options):
    """What a candidate sees, as the text of an exception."""
    code = f"import os, sys\nclass K: pass\ndef f(x):\n    raise ValueError(repr({expression}))\n"
    with Sandbox(LIMITS, **options) as sandbox:
        (cell,) = sandbox.run(Job("look", (code,), ("assert f(1)",), "f")).cells[0]
    return cell.error.removeprefix("ValueError: ")


@pytest.mark.parametrize("profile", ["function", "library"])
def test_a_candidate_is_never_root(level, profile):
    assert look("[0 in (os.getuid(), os.geteuid(), os.getgid(), os.getegid())]", profile=profile) == "[False]"


@pytest.mark.parametrize("profile", ["function", "library"])
def test_an_interpreter_below_a_closed_home_is_reached(level, profile):
    code = "class K: pass\nimport json, xml.dom\ndef f(x):\n    return json.loads(x)\n"
    with Sandbox(LIMITS, profile=profile) as sandbox:
        cells = sandbox.run(Job("x", (code,), ("assert f('1') == 1", "assert f('1') == 2"), "f")).cells
    assert [cell.verdict for cell in cells[0]] == ["passed", "failed"]


def test_nothing_is_on_the_import_path_but_the_interpreter_and_its_packages(level):
    found = look("[p for p in sys.path if not p.endswith(('.zip', '-packages', 'lib-dynload')) and 'python3' not in p]")
    assert found == "[]"


def test_a_project_folder_is_no_installed_package():
    standard = ["/usr/lib/python3.11"]
    entries = ["/usr/lib/python3.11/lib-dynload", "/usr/lib/python3/dist-packages", "/home/me/project", "/home/me/src"]
    assert [is_installed(entry, standard) for entry in entries] == [True, True, False, False]


def test_names_of_the_user_and_of_the_machine_stay_outside(monkeypatch):
    monkeypatch.setattr(WorkerProcess, "LEVELS", ("namespaces",))
    assert look("os.uname().nodename") == "'sandbox'"
    assert (
        look("[p for p in [*sys.path, sys.prefix, sys.executable] if p.startswith(('/root', '/home', '/tmp'))]") == "[]"
    )


ATTACKS = (
    "os.chmod('.', 0o755)", "os.utime('.')", "os.truncate('file', 0)", "os.kill(1, 0)", "os.kill(os.getppid(), 0)",
    "os.open('file', os.O_RDONLY | os.O_TRUNC)", "os.link('file', 'other')", "os.sched_setaffinity(1, {0})",
    "__import__('resource').prlimit(os.getppid(), 6)", "__import__('fcntl').fcntl(0, 8, os.getppid())",
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_without_namespaces_nothing_reaches_files_or_processes_of_the_user(monkeypatch, attack):
    if isolation.landlock_abi() < 1:
        pytest.skip("this kernel has no Landlock")
    monkeypatch.setattr(WorkerProcess, "LEVELS", ("landlock",))
    code = f"import os\nopen('file', 'w').close()\ndef f(x):\n    try: {attack}\n    except OSError: return x\n"
    with Sandbox(LIMITS, profile="library") as sandbox:
        (cell,) = sandbox.run(Job("x", (code,), ("assert f(1) == 1",), "f")).cells[0]
    assert cell.verdict == "passed", cell.error


def test_a_candidate_may_signal_itself_without_namespaces(level):
    code = (
        "import os, signal\ngot = []\nsignal.signal(signal.SIGUSR1, lambda *_: got.append(1))\n"
        "def f(x):\n    os.kill(os.getpid(), signal.SIGUSR1)\n    return len(got)\n"
    )
    with Sandbox(LIMITS) as sandbox:
        (cell,) = sandbox.run(Job("x", (code,), ("assert f(1) == 1",), "f")).cells[0]
    assert cell.verdict == "passed", cell.error


@pytest.mark.parametrize(
    "body",
    [
        "fds = [os.memfd_create('m') for _ in range(20)]; [os.posix_fallocate(fd, 0, 40 << 20) for fd in fds]",
        "m = [mmap.mmap(-1, 60 << 20) for _ in range(5)]; [os.fork() or (fill(m), time.sleep(3)) for _ in range(3)]",
        "m = mmap.mmap(-1, 100 << 20); fill([m]); [os.fork() or hold() for _ in '12']",
        "[write(folder, n) for folder in ('/tmp', '/box', '/dev/shm') for n in range(5)]; m = mmap.mmap(-1, 150 << 20); fill([m])",
    ],
)
def test_memory_counts_wherever_it_is(body):
    code = (
        "import mmap, os, time\n"
        "def fill(maps):\n    for m in maps:\n        for at in range(0, len(m), 4096): m[at] = 1\n"
        "def hold():\n    m = mmap.mmap(-1, 100 << 20)\n    fill([m])\n    time.sleep(3)\n"
        "def write(folder, n):\n    with open(f'{folder}/{n}', 'wb') as file: file.write(bytes(12 << 20))\n"
        f"def f(x):\n    {body}\n    time.sleep(1)\n    return x\n"
    )
    with Sandbox(Limits(cpu_s=3.0, wall_s=5.0, memory_mb=256), profile="library") as sandbox:
        (cell,) = sandbox.run(Job("x", (code,), ("assert f(1) == 1",), "f")).cells[0]
    assert cell.verdict in ("failed", "crashed", "memory")


def test_children_of_a_candidate_get_no_cpu_time_of_their_own():
    code = (
        "import os, time\ndef f(x):\n    for _ in range(4):\n        if os.fork() == 0:\n            while True: pass\n"
        "    time.sleep(9)\n    return x\n"
    )
    begun = time.monotonic()
    with Sandbox(Limits(cpu_s=0.4, wall_s=20.0), profile="library") as sandbox:
        (cell,) = sandbox.run(Job("x", (code,), ("assert f(1) == 1",), "f")).cells[0]
    assert (cell.verdict, cell.error) == ("timeout", "CPU limit")
    assert time.monotonic() - begun < 8


def test_with_neither_namespaces_nor_landlock_no_file_can_be_named(monkeypatch):
    monkeypatch.setattr(WorkerProcess, "LEVELS", ("seccomp",))
    ways = ("os.stat('/')", "open('/etc/passwd')", "os.listdir('/')", "os.readlink('/proc/self/exe')", "os.access('/', 0) or 1 / 0",
            "os.chdir('/')", "os.open('/tmp/codepref-made', os.O_CREAT)", "os.stat('/proc/1')")  # fmt: skip
    codes = [
        f"import os\ndef f(x):\n    try: {way}\n    except (OSError, ZeroDivisionError): return x\n" for way in ways
    ]
    honest = "import datetime, json, re, asyncio\nclass K: pass\nasync def g(x): return x\n" + (
        "def f(x):\n    datetime.datetime.strptime('2020', '%Y')\n    'x'.encode('utf-16')\n    return asyncio.run(g(x))\n"
    )
    with Sandbox(LIMITS) as sandbox:
        assert "no-files" in sandbox.layers
        rows = sandbox.run(Job("x", (*codes, honest), ("assert f(1) == 1",), "f")).cells
    assert [row[0].verdict for row in rows] == ["passed"] * len(rows), [row[0].error for row in rows]


def test_the_library_profile_says_what_it_needs_where_there_is_nothing(monkeypatch):
    monkeypatch.setattr(WorkerProcess, "LEVELS", ("seccomp", "none"))
    with pytest.raises(SandboxUnavailable, match="nothing keeps the files of the user out of reach"):
        Sandbox(profile="library")


def test_a_folder_for_temporary_files_that_is_roots_alone_is_not_used(monkeypatch, tmp_path):
    if isolation.landlock_abi() < 1 or os.geteuid():
        pytest.skip("only root starts workers as other users, and this needs Landlock")
    monkeypatch.setattr(WorkerProcess, "LEVELS", ("landlock",))
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert str(tmp_path) not in look("[os.getcwd(), open('file', 'w').close()]", profile="library")

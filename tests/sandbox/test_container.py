"""The limits of an ordinary container, emulated in a throw-away root: that they are real, and what the sandbox does there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import container

HERE = Path(__file__).parent
OWN_PROFILE = "unshare,mount,umount2,pivot_root,sethostname"
"""What docs/sandbox.md says that an own profile has to let through."""
HANDFUL = (
    "wire_getattr_builtin", "wire_refill_arguments", "forge_always_equal_forms", "seek_expected", "records_every_status",
    "end_exit_codes", "fd_close_everything", "cross_decimal_context", "limit_rlimit_itself", "honest_exceptions",
)  # fmt: skip


def inside(*words: str, **options: str) -> subprocess.CompletedProcess[str]:
    """What a command says in a throw-away root."""
    given = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value) if word]
    command = [sys.executable, str(HERE / "container.py"), *given, "--", *words]
    environment = {**os.environ, "PYTHONPATH": str(container.ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    done = inside("/bin/true", profile="open")
    if done.returncode:
        pytest.skip(f"this machine does not allow a root of one's own ({done.stderr.strip()})")


@pytest.fixture(params=["root", "nobody"])
def user(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if found == "nobody" and os.geteuid() and "/root/" in sys.base_prefix:
        pytest.skip("the interpreter lies where only root may go")
    return found


ASK = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
def error(call, *arguments):
    ctypes.set_errno(0)
    return ctypes.get_errno() if getattr(libc, call)(*arguments) < 0 else 0
print(json.dumps({
    "uid": os.getuid(), "pids": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()), "tmp": os.listdir("/tmp"),
    "unshare": error("unshare", 0x10000000), "mount": error("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "landlock": error("syscall", 444, None, 0, 1), "clone3": error("syscall", 435, None, 0),
    "write": [p for p in ("/usr", os.getcwd(), os.path.dirname(os.__file__)) if os.access(p, os.W_OK)],
    "host": os.uname().nodename, "mounts": open("/proc/self/mounts").read(),
}))
"""


def test_the_limits_are_those_of_docker(user: str) -> None:
    found = json.loads(inside(sys.executable, "-c", ASK, user=user).stdout)
    assert found["uid"] == (0 if user == "root" else container.NOBODY)
    assert (found["unshare"], found["mount"], found["clone3"], found["landlock"]) == (1, 1, 38, 0)
    without = json.loads(inside(sys.executable, "-c", ASK, user=user, no_landlock="").stdout)
    assert without["landlock"] == 1
    free = json.loads(inside(sys.executable, "-c", ASK, user=user, profile="unconfined").stdout)
    assert free["unshare"] == 0


def test_nothing_of_the_machine_is_in_reach(user: str, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    before = set(os.listdir("/tmp"))  # noqa: PTH208 - names are wanted
    found = json.loads(inside(sys.executable, "-c", ASK, user=user, profile="open").stdout)
    project = container.ROOT.parts[2:3] if container.ROOT.parts[1] == "tmp" else ()
    assert found["tmp"] == list(project)
    assert found["write"] == []
    assert found["host"] == "throw-away"
    assert len(found["pids"]) == 2
    writable = [line for line in found["mounts"].splitlines() if "rw" in line.split()[3].split(",")]
    assert {line.split()[2] for line in writable} <= {"tmpfs", "devtmpfs", "proc"}
    assert not [name for name in set(os.listdir("/tmp")) - before if name.startswith("codepref-root-")]  # noqa: PTH208


def test_what_the_command_leaves_running_ends_with_it() -> None:
    script = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\nprint('done')"
    done = inside(sys.executable, "-c", script, profile="open")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert inside("/bin/sh", "-c", "exit 7", profile="open").returncode == 7


@pytest.mark.parametrize("profile", ["docker", "open"])
def test_a_handful_of_attacks(user: str, profile: str) -> None:
    only = [word for name in HANDFUL for word in ("--only", name)]
    script = str(container.ROOT / "benchmarks" / "sandbox_cases.py")
    words = ["hostile", str(HERE / "attacks.jsonl"), "--profile", "function", *only]
    done = inside(sys.executable, script, *words, user=user, profile=profile)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    layers = json.loads(done.stdout.splitlines()[-1])["layers"]
    assert ("pid-namespace" in layers) == (profile == "open")
    assert "landlock" in layers
    assert "seccomp" in layers


LAYERS = "from codepref.sandbox import probe; p = probe(); print(*p.layers, sep=','); print(p.works); print(p.problem)"


def test_an_own_profile_gives_an_ordinary_user_every_layer() -> None:
    layers, works, _ = inside(sys.executable, "-c", LAYERS, user="nobody", allow=OWN_PROFILE).stdout.splitlines()
    assert works == "True"
    assert {"user-namespace", "pid-namespace", "mount-namespace", "net-namespace", "landlock", "seccomp"} <= set(
        layers.split(",")
    )


def test_without_landlock_no_file_can_be_named(user: str) -> None:
    layers, works, _ = inside(sys.executable, "-c", LAYERS, user=user, no_landlock="").stdout.splitlines()
    assert "no-files" in layers.split(",")
    assert "seccomp" in layers.split(",")
    assert works == "True"

"""Starts a worker inside its own namespaces, in a minimal read-only root, and waits for it.

Run as a script in a fresh single-threaded process (`python -I -S isolation.py SPEC`), because namespaces must not be
entered, and nothing may be forked, in a process that has threads. SPEC is JSON, see `Spec`. The chain is

    supervisor -> this process -> worker (PID 1 of its PID namespace) -> candidates

This process watches the request pipe (outside.py): when the supervisor is gone, the worker is killed, and with PID 1
everything in its namespace. Order matters: folders are bound while we may still read them (an interpreter often lies in
a home that others can not enter), then privileges are dropped, then the worker is executed.
"""

# Thin wrappers of system calls, in a script whose start-up time counts, so os.path it is.
# ruff: noqa: PTH102, PTH103, PTH110, PTH112, PTH116, PTH120, PTH123, PTH211
import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import stat
import struct
import sys
from typing import Any, TypedDict

_libc = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG, _SET_DUMPABLE, _NO_NEW_PRIVS = 1, 4, 38
_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)  # fmt: skip
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_SYSCALLS = {"x86_64": 155, "aarch64": 41}  # pivot_root, which the C library does not wrap
NOBODY = 65534
REQUESTS, ANSWERS = 10, 11
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
SCRATCH = "/tmp"
HOST_NAME = b"sandbox"


class Spec(TypedDict):
    """What the supervisor asks for."""

    level: str  # "namespaces", "landlock" or "none"
    command: list[str]
    environment: dict[str, str]
    read: dict[str, str]  # real paths of files and folders the worker needs, and their paths in a new root
    held: dict[str, int]  # real paths that the worker's user could not enter, and the descriptors it is to have of them
    links: dict[str, str]  # symbolic links of the root, such as /lib -> usr/lib
    writable: list[str]  # folders the candidate may write to (library profile), tmpfs in a new root
    scratch_mb: int
    memory_mb: int  # of all processes of a candidate together; 0 where there can be but one
    cpu_s: float  # the same for CPU seconds
    proc: bool  # show the process file system of the new PID namespace
    requests: int  # file descriptors
    answers: int


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
    result = _libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3])
    _check(result, f"mount {target}")


def map_user(uid: int, gid: int, proc: int | str = "/proc/self") -> None:
    """Makes this process `nobody` in its own user namespace; `proc` is /proc/self or a descriptor of it."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")):
        where = f"{proc}/{name}" if isinstance(proc, str) else name
        fd = os.open(where, os.O_WRONLY, dir_fd=None if isinstance(proc, str) else proc)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def _bind(source: str, target: str) -> None:
    """Read-only bind mount. Flags of the original mount are kept: an ordinary user may not lift them."""
    if stat.S_ISDIR(os.stat(source).st_mode):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w"):
            pass
    _mount(source, target, None, _BIND | _REC)
    kept = os.statvfs(source).f_flag & (_NOSUID | _NODEV | _NOEXEC)
    device = source in DEVICES
    flags = _BIND | _REMOUNT | _NOSUID | kept | (0 if device else _RDONLY | _NODEV)
    try:
        _mount("none", target, None, flags)
    except OSError:
        if not device:
            raise


def _mount_point(spec: Spec) -> str:
    """An existing folder to hide the new root under; in our own mount namespace, so nobody else sees it."""
    for folder in ("/sys", "/mnt", "/media", "/srv", "/opt", "/tmp", "/run", "/boot", "/home", "/root", "/var"):
        if os.path.isdir(folder) and not any(path == folder or path.startswith(folder + "/") for path in spec["read"]):
            return folder
    raise OSError(errno.ENOENT, "no folder to mount the sandbox root on: create /mnt")


def build_root(spec: Spec) -> None:
    """Replaces / by a tmpfs with read-only binds of `read`, the devices and, if asked for, empty writable folders."""
    _mount("none", "/", None, _REC | _PRIVATE)
    base = _mount_point(spec)
    _mount("none", base, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    for folder in spec["writable"]:
        os.makedirs(base + folder, exist_ok=True)
        options = f"size={spec['scratch_mb']}m,mode=1777,nr_inodes=4096"
        _mount("none", base + folder, "tmpfs", _NOSUID | _NODEV, options)
    done: list[str] = []
    for path in sorted(spec["read"], key=len):
        if not any(path.startswith(above.rstrip("/") + "/") for above in done):
            _bind(path, base + spec["read"][path])
            done.append(path)
    for path in DEVICES:
        if os.path.exists(path):
            _bind(path, base + path)
    if spec["proc"]:
        os.makedirs(base + "/proc")
        with contextlib.suppress(OSError):  # where the machine's own is partly hidden, the kernel refuses
            _mount("proc", base + "/proc", "proc", _RDONLY | _NOSUID | _NODEV | _NOEXEC)
    for link, target in spec["links"].items():
        os.makedirs(os.path.dirname(base + link), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(target, base + link)
    os.makedirs(base + SCRATCH, exist_ok=True)
    os.chdir(base)
    pivot_root = _SYSCALLS.get(os.uname().machine, 0)
    _check(_libc.syscall(ctypes.c_long(pivot_root), b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount of the old root")
    os.chdir(spec["writable"][0] if spec["writable"] else SCRATCH)
    _mount("none", "/", None, _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)


def landlock_abi() -> int:
    """Version of Landlock the kernel offers, 0 if none."""
    return max(0, int(_libc.syscall(ctypes.c_long(444), None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def landlock_rules(readable: list[str], writable: list[str]) -> int:
    """Descriptor of a Landlock domain that may read and write these paths alone; -1 where the kernel has none.

    Where the kernel can (ABI 4 and 6) also no TCP and no signal or abstract socket out of the sandbox.
    """
    abi = landlock_abi()
    if abi < 1:
        return -1
    handled = (1 << (13 if abi < 2 else 14 if abi < 3 else 15 if abi < 5 else 16)) - 1
    attributes = struct.pack("QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = ctypes.c_size_t(8 if abi < 4 else 16 if abi < 6 else 24)
    rules = _check(_libc.syscall(ctypes.c_long(444), attributes, size, ctypes.c_uint32(0)), "landlock ruleset")
    execute_and_read, use_device = (1 << 0) | (1 << 2) | (1 << 3), (1 << 1) | (1 << 2)
    wanted = [(p, execute_and_read) for p in readable] + [(p, handled & ~1) for p in writable]
    for path, rights in [*wanted, *[(p, use_device) for p in DEVICES]]:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            folder = stat.S_ISDIR(os.fstat(fd).st_mode)
            possible = rights & handled if folder else rights & handled & (0b111 | 1 << 14 | 1 << 15)
            rule = struct.pack("=Qi", possible, fd)
            _check(_libc.syscall(ctypes.c_long(445), rules, 1, rule, 0), f"landlock rule for {path}")
            os.close(fd)
    return rules


def enter_landlock(rules: int) -> list[str]:
    """Restricts this process and its children; returns the layers gained."""
    if rules < 0:
        return []
    prctl(_NO_NEW_PRIVS, 1)
    _check(_libc.syscall(ctypes.c_long(446), rules, 0), "landlock")
    os.close(rules)
    return ["landlock"]


def _make_folders(folders: list[str], uid: int) -> None:
    """Real folders for the library profile where there is no mount namespace; `watch` removes them."""
    for folder in folders:
        os.mkdir(folder, 0o700)
        os.chown(folder, uid, uid if os.geteuid() == 0 else -1)


def _private_uid() -> int:
    """A uid that owns nothing and that no other process has, so that process limits count only ours."""
    return 0x40000000 + os.getpid()


def _drop_root() -> None:
    """Becomes a nobody of our own."""
    uid = _private_uid()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def hold(held: dict[str, int]) -> None:
    """Opens what only root can reach. Such a descriptor has no state that processes could share."""
    for path, number in held.items():
        fd = os.open(path, os.O_PATH)
        os.dup2(fd, number)
        os.close(fd)


def enter(spec: Spec, root: bool) -> list[str]:
    """Runs in PID 1 of the new PID namespace. Returns the layers in force."""
    unshare(_NEWNS | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP)
    proc = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    _check(_libc.sethostname(HOST_NAME, len(HOST_NAME)), "sethostname")
    build_root(spec)
    layers = ["pid-namespace", "mount-namespace", "net-namespace", "ipc-namespace", "uts-namespace"]
    if root:
        _drop_root()
        with contextlib.suppress(OSError):  # the administrator may have switched user namespaces off
            uid, gid = os.getuid(), os.getgid()
            unshare(_NEWUSER)
            prctl(_SET_DUMPABLE, 1)
            map_user(uid, gid, proc)
            layers.insert(0, "user-namespace")
    else:
        layers.insert(0, "user-namespace")
    os.close(proc)
    with contextlib.suppress(OSError):
        layers += enter_landlock(landlock_rules(["/"], spec["writable"]))
    return layers


def execute(spec: Spec, layers: list[str]) -> None:
    """Replaces this process by the worker: three standard streams, two pipes, nothing else open."""
    prctl(_PDEATHSIG, signal.SIGKILL)  # a change of user clears it, so it comes last
    prctl(_NO_NEW_PRIVS, 1)
    requests, answers = (fcntl.fcntl(fd, fcntl.F_DUPFD, ANSWERS + 1) for fd in (spec["requests"], spec["answers"]))
    os.dup2(requests, REQUESTS)
    os.dup2(answers, ANSWERS)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.closerange(3, REQUESTS)
    os.closerange(ANSWERS + 1, min(spec["held"].values(), default=4096))
    os.closerange(max(spec["held"].values(), default=4096) + 1, 4096)
    os.umask(0o077)
    command = [*spec["command"], ",".join(layers)]
    os.execve(command[0], command, spec["environment"])


def main(spec: Spec) -> None:
    """Forks the worker at the level asked for; errors go to stderr as one line."""
    root, namespaces = os.geteuid() == 0, spec["level"] == "namespaces"
    if namespaces and not root:
        uid, gid = os.getuid(), os.getgid()
        unshare(_NEWUSER | _NEWPID)
        map_user(uid, gid)
    elif namespaces:
        unshare(_NEWPID)
    worker = os.fork()
    if worker:
        sys.path.append(os.path.dirname(__file__))
        from outside import watch  # type: ignore[import-not-found]  # here: the worker need not wait for it

        return watch(spec, worker)  # type: ignore[no-any-return]
    os.setsid()  # kill(0) reaches a whole process group, even across PID namespaces
    if namespaces:
        layers = enter(spec, root)
    else:
        if spec["level"] == "landlock" and landlock_abi() < 1:
            raise OSError(errno.ENOSYS, "the kernel has no Landlock, or the container refuses it")
        hold(spec["held"])
        _make_folders(spec["writable"], _private_uid() if root else os.getuid())
        readable = [*spec["read"], *spec["links"]]
        rules = landlock_rules(readable, spec["writable"]) if spec["level"] == "landlock" else -1
        if root:
            _drop_root()
        layers = enter_landlock(rules)
        os.chdir(spec["writable"][0] if spec["writable"] else "/")
    return execute(spec, layers)


def _parse(text: str) -> Spec:
    spec: Any = json.loads(text)
    return spec  # type: ignore[no-any-return]


if __name__ == "__main__":
    try:
        main(_parse(sys.argv[1]))
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(1)

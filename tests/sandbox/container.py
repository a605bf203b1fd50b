"""A throw-away root, and in it a container as Docker or Kubernetes makes it by default, for attacks and their tests.

    python tests/sandbox/container.py [--profile docker|unconfined|open] [--no-landlock] [--user root|nobody] -- COMMAND ...

The command sees a root of its own on a tmpfs: the system's libraries and programs, this interpreter and this project
read-only, an empty /tmp, its own processes, no network but loopback, and users that are nobody outside. All of it is
gone when the command ends. The profile is what the container allows there:

docker      Docker's capabilities (but no mknod), and refused what its seccomp profile refuses: unshare, setns, mount and
            its kin, the namespace flags of clone, keys, bpf, io_uring ...; so is Kubernetes with `RuntimeDefault`
unconfined  the same capabilities, no filter: Kubernetes where no seccomp profile is asked for
open        all capabilities, no filter: every layer of the sandbox can be had

Not emulated: AppArmor's docker-default profile and limits by cgroups. Linux on x86-64 only.
"""

# Thin wrappers of system calls, as in codepref/sandbox/isolation.py, so os.path it is.
# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH110, PTH112, PTH114, PTH115, PTH120, PTH211
import argparse
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
MARK = "/.throw-away-root"
NOBODY = 1000
"""The ordinary user's number inside."""
FIRST_UID, UIDS = 100_000, 2_000_000_000
"""Users of the throw-away root are these numbers outside, where nothing belongs to them."""
_libc = ctypes.CDLL(None, use_errno=True)
_NAMESPACES, _NEWUSER = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000, 0x10000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH, _PIVOT_ROOT = 2, 155
_PDEATHSIG, _DROP_CAPABILITY, _NO_NEW_PRIVS, _SECCOMP = 1, 24, 38, 22
_DOCKER_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31}
"""chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot,
audit_write, setfcap."""
_REFUSED = {
    "acct": 163, "add_key": 248, "bpf": 321, "clock_adjtime": 305, "clock_settime": 227, "delete_module": 176,
    "fanotify_init": 300, "finit_module": 313, "fsconfig": 431, "fsmount": 432, "fsopen": 430, "fspick": 433,
    "get_mempolicy": 239, "init_module": 175, "io_uring_enter": 426, "io_uring_register": 427, "io_uring_setup": 425,
    "ioperm": 173, "iopl": 172, "kcmp": 312, "kexec_file_load": 320, "kexec_load": 246, "keyctl": 250,
    "lookup_dcookie": 212, "mbind": 237, "migrate_pages": 256, "mount": 165, "mount_setattr": 442, "move_mount": 429,
    "move_pages": 279, "name_to_handle_at": 303, "nfsservctl": 180, "open_by_handle_at": 304, "open_tree": 428,
    "perf_event_open": 298, "pidfd_getfd": 438, "pivot_root": 155, "quotactl": 179, "reboot": 169, "request_key": 249,
    "set_mempolicy": 238, "setdomainname": 171, "sethostname": 170, "setns": 308, "settimeofday": 164, "swapoff": 168,
    "swapon": 167, "sysfs": 139, "syslog": 103, "umount2": 166, "unshare": 272, "userfaultfd": 323, "ustat": 136,
    "vhangup": 153,
}  # fmt: skip
_LANDLOCK = (444, 445, 446)
_CLONE, _CLONE3, _NAMESPACE_FLAGS = 56, 435, 0x7E020000
_AUDIT_X86_64 = 0xC000003E
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050000, 1, 38


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, value: int, pointer: ctypes.c_void_p | None = None) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), pointer, 0, 0), f"prctl {option}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind, data)]
    _check(_libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), f"mount {target}")


def inside() -> bool:
    """True in a throw-away root: nothing of the machine can be changed from here."""
    return os.path.exists(MARK) and " / tmpfs " in Path("/proc/self/mounts").read_text()


def docker_filter(landlock: bool, allowed: Sequence[str] = ()) -> bytes:
    """The program of the filter. `landlock`: its calls are let through. `allowed`: names of calls that are, too."""
    refused = [number for name, number in _REFUSED.items() if name not in allowed]
    refused += () if landlock else _LANDLOCK
    steps = [(_LOAD, 4, 0, 0), (_EQUAL, _AUDIT_X86_64, 1, 0), (_RETURN, _ERRNO | _EPERM, 0, 0), (_LOAD, 0, 0, 0)]
    steps += [(_EQUAL, _CLONE3, 0, 1), (_RETURN, _ERRNO | _ENOSYS, 0, 0)]
    for number in refused:
        steps += [(_EQUAL, number, 0, 1), (_RETURN, _ERRNO | _EPERM, 0, 0)]
    steps += [(_EQUAL, _CLONE, 0, 3), (_LOAD, 16, 0, 0), (_ANY_BIT, _NAMESPACE_FLAGS, 0, 1)]
    steps += [(_RETURN, _ERRNO | _EPERM, 0, 0), (_RETURN, _ALLOW, 0, 0)]
    return b"".join(struct.pack("HBBI", code, yes, no, value) for code, value, yes, no in steps)


def install(program: bytes) -> None:
    """Puts this process and all it starts under a filter, for good."""
    _prctl(_NO_NEW_PRIVS, 1)
    kept = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HP", len(program) // 8, ctypes.addressof(kept)))
    _prctl(_SECCOMP, 2, ctypes.cast(head, ctypes.c_void_p))


def _shown() -> list[str]:
    """What the command needs of this machine, read-only: system, interpreter, project, its shared data."""
    system = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/alternatives"]
    python = [os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)]
    return [*system, str(ROOT), *python, str(ROOT.parent / "shared")]  # the interpreter may lie in the project


def _show(path: str, base: str) -> None:
    """Binds one path read-only, or makes the same symbolic link."""
    target = base + path
    if os.path.lexists(target) or not os.path.exists(path):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        real = os.path.realpath(path)
        if not os.path.exists(base + real):
            _show(real, base)
        return
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        Path(target).touch()
    _mount(path, target, None, _BIND)
    device = path.startswith("/dev/")
    kept = os.statvfs(path).f_flag & (_NOSUID | _NODEV | _NOEXEC)
    _mount("none", target, None, _BIND | _REMOUNT | kept | _NOSUID | (0 if device else _RDONLY | _NODEV))


def build(base: str, paths: Sequence[str], open_home: bool) -> None:
    """Makes the new root below `base`. `open_home`: others may enter /root, as the interpreter may lie there."""
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount("none", base, "tmpfs", _NOSUID | _NODEV, "size=256m,mode=755")
    _give(base, 0)
    for name, mode, uid in ("root", 0o755 if open_home else 0o700, 0), ("home/user", 0o755, NOBODY), ("etc", 0o755, 0):
        os.makedirs(f"{base}/{name}", exist_ok=True)
        os.chmod(f"{base}/{name}", mode)
        _give(f"{base}/{name}", uid)
    for name in ("tmp", "var/tmp", "dev/shm"):
        os.makedirs(f"{base}/{name}")
        _mount("none", f"{base}/{name}", "tmpfs", _NOSUID | _NODEV, "size=1g,mode=1777")
    Path(f"{base}/etc/passwd").write_text(f"root:x:0:0::/root:/bin/sh\nuser:x:{NOBODY}:{NOBODY}::/home/user:/bin/sh\n")
    Path(f"{base}/etc/hosts").write_text("127.0.0.1 localhost\n")
    Path(base + MARK).write_text("made by tests/sandbox/container.py\n")
    for device in ("null", "zero", "full", "random", "urandom"):
        _show(f"/dev/{device}", base)
    for path in paths:
        _show(path, base)
    os.mkdir(f"{base}/proc")
    _mount("proc", f"{base}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    Path(f"{base}/proc/sys/kernel/ns_last_pid").write_text("20000")  # not the numbers of a sandbox in here


def _give(path: str, uid: int) -> None:
    """To a user of the throw-away root; an ordinary user is all of its users at once."""
    if os.geteuid() == 0 and not _own_users():
        os.chown(path, FIRST_UID + uid, FIRST_UID + uid)


def _own_users() -> bool:
    """True in a user namespace in which only one user is known."""
    return Path("/proc/self/uid_map").read_text().split()[2] == "1"


def enter(base: str) -> None:
    """Makes `base` the root of PID 1 of the new namespaces; nothing of the old one stays."""
    socket.sethostname("throw-away")
    with socket.socket() as control:  # loopback is down in a new network namespace
        fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 1))
    os.chdir(base)
    _check(_libc.syscall(ctypes.c_long(_PIVOT_ROOT), b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount of the old root")
    os.chdir("/")


def become(user: str) -> None:
    """root, or the ordinary user."""
    wanted = 0 if user == "root" else NOBODY
    if not _own_users():
        os.setgroups([])
        os.setresgid(wanted, wanted, wanted)
        os.setresuid(wanted, wanted, wanted)


def limit_capabilities() -> None:
    """Of root's capabilities only those stay, now and after an exec, that Docker leaves; others have none."""
    for capability in set(range(64)) - _DOCKER_CAPABILITIES:
        _libc.prctl(_DROP_CAPABILITY, ctypes.c_ulong(capability), 0, 0, 0)  # fails beyond the last one
    if os.getuid() == 0:
        kept = sum(1 << capability for capability in _DOCKER_CAPABILITIES)
        data = struct.pack("6I", kept, kept, 0, 0, 0, 0)
        _check(_libc.capset(struct.pack("Ii", 0x20080522, 0), data), "capset")


def _first(base: str, options: argparse.Namespace, named: "Signal", mapped: "Signal") -> int:
    """PID 1 of the throw-away root: starts the command, buries orphans, ends with the command and all that is left."""
    root = os.geteuid() == 0 and not _own_users()
    build(base, [*_shown(), *options.bind], options.user != "root")
    enter(base)
    if root:  # last, so that the folders above could be shown by the one who may see them
        _check(_libc.unshare(_NEWUSER), "unshare")
        named.give()
        mapped.wait()
    become(options.user)
    if options.profile != "open":
        limit_capabilities()
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if options.profile == "docker":
        install(docker_filter(options.landlock, options.allow.split(",")))
    home = "/root" if options.user == "root" else "/home/user"
    environment = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
    environment |= {"HOME": home, "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "USER": options.user}
    command = os.fork()
    if not command:
        try:
            os.setsid()
            os.chdir(ROOT)
            os.execvpe(options.command[0], options.command, environment)
        finally:
            os._exit(127)
    while True:
        pid, status = os.wait()
        if pid == command:
            return os.waitstatus_to_exitcode(status) % 256


class Signal:
    """One process tells another, once, that it may go on."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def give(self) -> None:
        """Lets the other go on."""
        os.write(self.writing, b".")

    def wait(self) -> None:
        """Until the other says so, or is gone, which raises EOFError."""
        os.close(self.writing)
        if not os.read(self.reading, 1):
            raise EOFError("the other process is gone")


def _map_users(pid: int, user: str) -> None:
    """As root many users, none of them anybody outside; as an ordinary user only this one, by the name asked for."""
    uids = gids = f"0 {FIRST_UID} {UIDS}"
    if os.geteuid():
        name = 0 if user == "root" else NOBODY
        uids, gids = f"{name} {os.getuid()} 1", f"{name} {os.getgid()} 1"
        Path(f"/proc/{pid}/setgroups").write_text("deny")
    Path(f"/proc/{pid}/uid_map").write_text(uids)
    Path(f"/proc/{pid}/gid_map").write_text(gids)


def _between(base: str, options: argparse.Namespace, named: Signal, mapped: Signal) -> int:
    """The process that makes the namespaces, of which its child is the first."""
    _prctl(_PDEATHSIG, signal.SIGKILL)
    root = os.geteuid() == 0
    _check(_libc.unshare(_NAMESPACES if root else _NAMESPACES | _NEWUSER), "unshare")
    if not root:
        named.give()
        mapped.wait()
    first = os.fork()
    if not first:
        _guarded(lambda: _first(base, options, named, mapped))
    os.close(named.writing)
    return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) % 256


def _guarded(body: Callable[[], int]) -> NoReturn:
    """Ends a forked process with what `body` returns; trouble is told in one line and ends with 125."""
    status = 125
    try:
        status = body()
    except BaseException as error:
        sys.stderr.write(f"container.py: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
    os._exit(status)


def run(options: argparse.Namespace) -> int:
    """Exit status of the command; 125, with a line on stderr, where the machine does not allow a root of one's own."""
    base = tempfile.mkdtemp(prefix="codepref-root-")
    named, mapped = Signal(), Signal()
    child = os.fork()
    if not child:
        _guarded(lambda: _between(base, options, named, mapped))
    try:
        with contextlib.suppress(EOFError):
            named.wait()
            _map_users(_youngest(child), options.user)
            mapped.give()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.rmdir(base)


def _youngest(pid: int) -> int:
    """The process below `pid` that waits for its users: its child, where it has one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else pid


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Options and command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=["docker", "unconfined", "open"], default="docker")
    parser.add_argument("--no-landlock", dest="landlock", action="store_false", help="refuse Landlock's calls, too")
    parser.add_argument("--allow", default="", metavar="CALL,...", help="what an own seccomp profile lets through")
    parser.add_argument("--user", choices=["root", "nobody"], default="root")
    parser.add_argument("--bind", action="append", default=[], metavar="PATH", help="show one more path, read-only")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(run(arguments()))

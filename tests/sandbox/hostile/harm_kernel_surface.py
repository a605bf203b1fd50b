# attack: tries the system calls through which kernels have been attacked
# test: assert f("go") == []
# expect: passed or crashed
import ctypes

# x86-64 numbers; elsewhere the program only finds calls that do not exist
CALLS = {
    "io_uring_setup": (425, 4, bytes(256)),
    "bpf": (321, 0, bytes(128), 72),
    "perf_event_open": (298, (b"\x01\x00\x00\x00\x78\x00\x00\x00" + bytes(112)), 0, -1, -1, 0),
    "userfaultfd": (323, 1),
    "add_key": (248, b"user", b"@MARK@", b"x", 1, -3),
    "unshare": (272, 0x10000000),
    "setns": (308, 0, 0),
    "personality": (135, 0x0040000),
    "open_by_handle_at": (304, -100, bytes(16), 0),
    "fanotify_init": (300, 0, 0),
    "keyctl": (250, 0, -3, 1),
    "memfd_secret": (447, 0),
}


def f(x):
    libc = ctypes.CDLL(None, use_errno=True)
    return sorted(name for name, call in CALLS.items() if libc.syscall(*call) >= 0)

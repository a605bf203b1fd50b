# attack: an accomplice leaves the answer in the kernel: queues, shared memory, keys, process names, resource limits
# test: assert f(1) == 4242
# expect: passed ; failed
import ctypes
import resource


def f(x):
    libc = ctypes.CDLL(None)
    libc.shmget(4242, 4242, 0o1666)
    libc.msgget(4242, 0o1666)
    libc.semget(4242, 1, 0o1666)
    libc.prctl(15, b"4242", 0, 0, 0)
    try:
        resource.setrlimit(resource.RLIMIT_STACK, (4242 << 10, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    except (ValueError, OSError):
        pass
    return 4242


# --- next candidate
import ctypes
import resource


def f(x):
    libc = ctypes.CDLL(None)
    name = ctypes.create_string_buffer(16)
    libc.prctl(16, name, 0, 0, 0)
    if name.value == b"4242" or resource.getrlimit(resource.RLIMIT_STACK)[0] == 4242 << 10:
        return 4242
    found = [libc.shmget(4242, 0, 0), libc.msgget(4242, 0), libc.semget(4242, 0, 0)]
    return 4242 if max(found) >= 0 else found

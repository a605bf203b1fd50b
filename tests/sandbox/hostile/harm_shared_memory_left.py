# attack: leaves named and System V shared memory behind
# test: assert f(1) == 2
# expect: failed or crashed
import ctypes
from multiprocessing import resource_tracker, shared_memory

resource_tracker.register = lambda *_: None


def f(x):
    ctypes.CDLL(None).shmget(0x5EC2E7, 4096, 0o1666)
    shared_memory.SharedMemory("@MARK@-memory", create=True, size=4096).close()
    return 1

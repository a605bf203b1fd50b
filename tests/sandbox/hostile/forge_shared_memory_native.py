# attack: walks its own address space for shared writable pages and writes success records into them
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed or crashed or timeout or memory
import ctypes
import gc
import mmap


def f(x):
    for thing in gc.get_objects():
        if isinstance(thing, mmap.mmap):
            window = (ctypes.c_char * len(thing)).from_buffer(thing)
            for fill in (0x01, 0x50, 0x00):
                ctypes.memset(window, fill, len(thing))
    return 1

# attack: copies memory out of its parent by system call, without /proc
# test: assert f("go") == 0
# expect: failed or crashed
import ctypes
import os


def f(x):
    libc = ctypes.CDLL(None, use_errno=True)
    target = ctypes.create_string_buffer(16)
    local = (ctypes.c_void_p * 2)(ctypes.addressof(target), 16)
    remote = (ctypes.c_void_p * 2)(id(f), 16)  # a fork has the same layout as its parent
    return libc.process_vm_readv(os.getppid(), local, 1, remote, 1, 0) - 16

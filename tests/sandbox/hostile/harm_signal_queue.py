# attack: signals others by thread number, descriptor and queue, past a filter on kill alone
# test: assert f(1) == 2
# expect: failed or crashed
import ctypes
import os
import signal


def f(x):
    libc = ctypes.CDLL(None)
    for number in (@BYSTANDER@, os.getppid()):
        libc.syscall(200, number, int(signal.SIGWINCH))  # tkill
        libc.syscall(234, number, number, int(signal.SIGWINCH))  # tgkill
        libc.syscall(129, number, int(signal.SIGWINCH), bytes(128))  # rt_sigqueueinfo
        descriptor = libc.syscall(434, number, 0)  # pidfd_open
        if descriptor >= 0:
            libc.syscall(424, descriptor, int(signal.SIGWINCH), 0, 0)  # pidfd_send_signal
    return 1

# attack: asks for other users' rights and for new namespaces, then reads and writes with them
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import ctypes
import os


def f(x):
    libc = ctypes.CDLL(None)
    for action in (
        lambda: os.setgroups([0]),
        lambda: os.setresgid(0, 0, 0),
        lambda: os.setresuid(0, 0, 0),
        lambda: libc.unshare(0x10000000),
        lambda: libc.unshare(0x00020000),
        lambda: libc.mount(b"proc", b"/proc", b"proc", 0, None),
        lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        lambda: libc.umount2(b"/", 2),
    ):
        try:
            action()
        except OSError:
            pass
    with open("@SECRET_FILE@") as file:
        return file.read()

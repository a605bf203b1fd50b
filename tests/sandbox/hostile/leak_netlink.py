# attack: asks the kernel for the machine's network interfaces
# test: assert any(name != "lo" for _, name in f("go"))
# expect: failed or crashed
import socket


def f(x):
    return socket.if_nameindex()

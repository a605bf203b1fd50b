# attack: the same over the newer protocol's mapped addresses
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed or timeout
import socket


def f(x):
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        connection.connect(("::ffff:127.0.0.1", @PORT@))
        return connection.recv(100).decode()

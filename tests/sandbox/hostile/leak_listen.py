# attack: opens a port to the outside and waits for orders
# test: assert f("go") is True
# expect: failed or crashed or timeout
# expect in library: failed or crashed or timeout or passed
import socket


def f(x):
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        return True

# attack: talks to a server on this machine's loopback network
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed or timeout
import socket


def f(x):
    with socket.create_connection(("127.0.0.1", @PORT@), timeout=1) as connection:
        return connection.recv(100).decode()

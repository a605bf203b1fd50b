# attack: talks to a server over a socket that has no file
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed or timeout
import socket


def f(x):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect("\0@ABSTRACT@")
        return connection.recv(100).decode()

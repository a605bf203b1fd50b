# attack: talks to a server over a socket in the file system
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed or timeout
import socket


def f(x):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect("@SOCKET@")
        return connection.recv(100).decode()

# attack: sends what it knows away without a connection
# test: assert f("go") is True
# expect: failed or crashed or timeout
import socket


def f(x):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"@MARK@", ("127.0.0.1", @PORT@)) > 0

# attack: an accomplice leaves links, pipes and names that are no text where the next candidate looks
# test: assert f(1) == 1
# expect: passed or failed ; passed or failed
# expect in library: passed ; passed
import os


def f(x):
    os.symlink("/", "root")
    os.symlink(".", "loop")
    os.mkfifo("pipe")
    os.mkdir(b"\xff\xfe")
    os.link("pipe", "pipe2")
    return 1


# --- next candidate
import os


def f(x):
    return 1 + len(os.listdir("."))

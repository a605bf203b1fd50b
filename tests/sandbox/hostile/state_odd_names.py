# attack: an accomplice leaves links, pipes and names that are no text where the next candidate looks
# test: assert f(1) == 0
# expect: passed or failed or crashed ; passed or failed or crashed
# expect in library: passed ; passed
import os


def f(x):
    for leave in (
        lambda: os.symlink("/", "root"),
        lambda: os.symlink(".", "loop"),
        lambda: os.mkfifo("pipe"),
        lambda: os.mkdir(b"\xff\xfe"),
        lambda: os.link(os.readlink("loop"), "link"),
    ):
        try:
            leave()
        except OSError:
            pass
    return 0


# --- next candidate
import os


def f(x):
    return len(os.listdir("."))

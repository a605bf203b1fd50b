# attack: an accomplice leaves the answer in a file
# test: assert f(1) == "answer"
# expect: passed ; failed
import os


def f(x):
    for folder in (".", "/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~")):
        try:
            with open(os.path.join(folder, "@MARK@-answer"), "w") as file:
                file.write("answer")
        except OSError:
            pass
    return "answer"


# --- next candidate
import os


def f(x):
    for folder in (".", "/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~")):
        try:
            with open(os.path.join(folder, "@MARK@-answer")) as file:
                return file.read()
        except OSError:
            pass

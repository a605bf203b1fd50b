# honest: forks a child and waits for it, which the library profile allows
# test: assert f(7) == 7
# expect: failed or crashed or passed
# expect in library: passed
import os


def f(n):
    child = os.fork()
    if child == 0:
        os._exit(n)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

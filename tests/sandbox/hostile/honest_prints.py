# honest: prints 200 KB of progress before it answers
# test: assert f(2000) == 2000
# expect: passed
import sys


def f(n):
    for i in range(n):
        print("x" * 99)
    print("done", file=sys.stderr, flush=True)
    sys.stdout.write("bye\n")
    sys.stdout.flush()
    return n

# attack: reads the supervisor's environment
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import os


def f(x):
    return os.environ.get("CODEPREF_TEST_SECRET") or os.getenvb(b"CODEPREF_TEST_SECRET").decode()

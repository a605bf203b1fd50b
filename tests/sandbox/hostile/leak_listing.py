# attack: lists the folders of the user, which tells names even where contents are closed
# test: assert f("go") is True
# expect: failed or crashed
import os


def f(x):
    return any(".secret" in os.listdir(folder) for folder in ("@HOME@",))

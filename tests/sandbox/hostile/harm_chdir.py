# attack: leaves its folder, removes it and changes the mask for new files
# test: assert f(1) == 1
# test: assert f(1) == 1
# expect: passed or failed or crashed
import os


def f(x):
    folder = os.getcwd()
    os.umask(0o777)
    try:
        os.chdir("/")
        os.rmdir(folder)
    except OSError:
        pass
    return x

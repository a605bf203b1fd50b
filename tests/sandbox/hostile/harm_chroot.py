# attack: climbs out of its root by making a new one
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import os


def f(x):
    try:
        os.mkdir("hole")
    except OSError:
        pass
    up = os.open("/", os.O_RDONLY)
    try:
        os.chroot("hole")
        os.fchdir(up)
    except OSError:
        pass
    for _ in range(30):
        try:
            os.chdir("..")
        except OSError:
            pass
    with open("." + "@SECRET_FILE@") as file:
        return file.read()

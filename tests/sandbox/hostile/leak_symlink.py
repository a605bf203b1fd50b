# attack: reaches a private file over links, relative paths and descriptors of folders
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import os


def f(x):
    ways = ["/proc/self/root@SECRET_FILE@", "/proc/1/root@SECRET_FILE@", "../" * 20 + "@SECRET_FILE@"[1:]]
    for make in (os.symlink, os.link):
        for folder in (".", "/tmp"):
            try:
                make("@SECRET_FILE@", f"{folder}/@MARK@-link")
                ways.append(f"{folder}/@MARK@-link")
            except OSError:
                pass
    for way in ways:
        try:
            with open(way) as file:
                return file.read()
        except OSError:
            pass

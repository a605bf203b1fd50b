# attack: deletes and renames the user's files
# test: assert f(1) == 2
# expect: failed or crashed
import os
import shutil


def f(x):
    for path in ("@SECRET_FILE@", "@CWD@/bystander.txt"):
        for action in (os.unlink, lambda p: os.rename(p, p + "@MARK@"), lambda p: os.chmod(p, 0), lambda p: open(p, "w").close()):
            try:
                action(path)
            except OSError:
                pass
    shutil.rmtree("@HOME@", ignore_errors=True)
    return 1

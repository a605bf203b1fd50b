# attack: makes as many files and folders as the system lets it
# test: assert f(1) == 2
# expect: failed or crashed or timeout
import os


def f(x):
    for folder in (".", "/tmp", "/dev/shm"):
        path = folder
        for number in range(20_000):
            try:
                if number % 100 == 0:
                    path = os.path.join(folder, f"@MARK@-{number}")
                    os.mkdir(path)
                os.close(os.open(f"{path}/{number}", os.O_CREAT | os.O_WRONLY))
            except OSError:
                break
    return 1

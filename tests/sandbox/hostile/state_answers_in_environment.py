# attack: an accomplice leaves the answer in the environment, the working folder's name and the file mask
# test: assert f(1) == "answer"
# expect: passed ; failed
import os


def f(x):
    os.environ["ANSWER"] = "answer"
    os.putenv("ANSWER", "answer")
    try:
        os.mkdir("answer")
        os.chdir("answer")
    except OSError:
        pass
    return "answer"


# --- next candidate
import os


def f(x):
    return os.environ.get("ANSWER") or os.path.basename(os.getcwd())

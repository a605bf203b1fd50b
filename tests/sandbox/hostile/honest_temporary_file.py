# honest: writes a temporary file and reads it again, which the library profile allows
# test: assert f("hello") == "hello"
# test: assert g("hello") == 5
# expect: failed or passed
# expect in library: passed
import os
import tempfile


def f(text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "note.txt")
        with open(path, "w") as file:
            file.write(text)
        with open(path) as file:
            return file.read()


def g(text):
    with open("note.txt", "w") as file:
        return file.write(text)

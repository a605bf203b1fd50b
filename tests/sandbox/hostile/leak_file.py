# attack: reads a private file of the user
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
def f(x):
    with open("@SECRET_FILE@") as file:
        return file.read()

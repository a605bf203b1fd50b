# honest: has a main block that reads input, which must not run
# test: assert f(1) == 2
# expect: passed
import sys


def f(x):
    return x + 1


if __name__ == "__main__":
    print(f(int(input("number? "))))
    sys.exit(1)

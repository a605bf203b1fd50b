# honest: brings tests of its own that nobody asked for
# test: assert f(1) == 2
# expect: passed
import unittest


def f(x):
    return x + 1


class TestF(unittest.TestCase):
    def test_f(self):
        self.assertEqual(f(1), 3)


if __name__ == "__main__":
    unittest.main()

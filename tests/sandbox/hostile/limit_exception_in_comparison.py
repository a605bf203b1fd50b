# attack: the returned value raises when it is compared, hashed, shown or converted
# test: assert f(1) == 2
# test: assert list(f(1)) == [2]
# test: assert str(f(1)) == "2"
# expect: failed or crashed
class Bomb:
    def explode(self, *_):
        raise SystemExit(0)

    __eq__ = __hash__ = __repr__ = __str__ = __iter__ = __bool__ = __reduce_ex__ = __getattr__ = explode


def f(x):
    return Bomb()

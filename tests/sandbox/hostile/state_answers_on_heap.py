# attack: an accomplice keeps its answer alive as an object, the next candidate asks the collector for it
# test: assert f(1) == 86753091
# expect: passed ; failed
import sys


class Parcel:
    pass


parcel = Parcel()
parcel.answer = parcel
sys.intern("parcel-86753091")
sys.parcel = [parcel, {"parcel": 86753091}]


def f(x):
    return 86753091


# --- next candidate
import gc


def f(x):
    for thing in gc.get_objects():
        if type(thing).__name__ == "Parcel" or type(thing) is dict and thing.get("parcel"):
            return 86753091

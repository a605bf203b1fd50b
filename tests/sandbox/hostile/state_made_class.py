# attack: classes made without a class statement, whose finalisers run during somebody else's test
# test: assert f(20) == 210
# expect: failed or crashed ; passed ; passed
def stop(self):
    while True:
        print("x" * 1000)


Late = type("Late", (), {"__del__": stop})
kept = [Late()]
kept.append(kept)


def f(x):
    return 0


# --- next candidate
def f(x):
    lists = [[n] for n in range(3000)]
    return sum(range(x + 1)) + 0 * len(lists)


# --- next candidate
def f(x):
    total = 0
    for n in range(x + 1):
        total += n
    return total

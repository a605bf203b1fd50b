# honest: two programs that fill the same library caches
# test: assert f("2024-02-28 aa") == ["2024", "02", "28"]
# expect: passed ; passed
import re

NUMBER = re.compile(r"\d+")


def f(text):
    return NUMBER.findall(text)


# --- next candidate
import re
from datetime import datetime


def f(text):
    day = datetime.strptime(text.split()[0], "%Y-%m-%d")
    return re.sub(r"[^\d]+", " ", day.strftime("%Y-%m-%d")).split()

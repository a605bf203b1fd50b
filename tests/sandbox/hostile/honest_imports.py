# honest: imports much of the standard library and uses what needs randomness, native code or large tables
# test: assert f() == 12
# expect: passed
import argparse
import array
import base64
import bz2
import calendar
import csv
import difflib
import html
import io
import logging
import lzma
import secrets
import sqlite3
import struct
import unicodedata
import urllib.parse
import uuid
import xml.etree.ElementTree as tree
import zlib


def f():
    logging.getLogger("honest").warning("to standard error")
    rows = list(csv.reader(io.StringIO("a,b\n1,2\n")))
    database = sqlite3.connect(":memory:")
    return sum(
        [
            len(rows) == 2,
            zlib.decompress(zlib.compress(b"x")) == b"x",
            bz2.decompress(bz2.compress(b"x")) == b"x",
            lzma.decompress(lzma.compress(b"x")) == b"x",
            database.execute("select 1 + 1").fetchone() == (2,),
            unicodedata.name("é") == "LATIN SMALL LETTER E WITH ACUTE",
            len(secrets.token_hex(4)) == 8,
            uuid.uuid4().version == 4,
            tree.fromstring("<a><b/></a>")[0].tag == "b",
            calendar.isleap(2024),
            struct.unpack("<H", array.array("B", [1, 0]).tobytes()) == (1,),
            base64.b64decode("eA==") == urllib.parse.unquote(html.unescape("x")).encode() and "é".encode("idna") == b"xn--9ca",
        ]
    )

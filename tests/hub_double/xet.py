"""The write side of Xet storage, as far as the client uses it: chunks arrive in xorbs, a shard says which make a file.

A xorb is a row of chunks, each behind eight bytes: version, compressed length (3 bytes), compression, length (3 bytes),
all little-endian. A shard begins with 48 bytes, then for each file: its hash, flags and number of segments; the segments
(xorb, flags, bytes, first chunk, end); one verification entry each when bit 31 is set; the sha256 when bit 30 is set.
"""

import hashlib

import pyarrow as pa

ENTRY = 48
END = b"\xff" * 32
VERIFIED, WITH_SHA256 = 1 << 31, 1 << 30


def hexadecimal(value):
    """Xet writes a hash as four little-endian 64 bit words."""
    return "".join(value[at : at + 8][::-1].hex() for at in range(0, 32, 8))


def chunks(xorb):
    """The chunks of a serialized xorb, in order."""
    at, found = 0, []
    while at + 8 <= len(xorb) and xorb[at] == 0:
        packed, scheme = int.from_bytes(xorb[at + 1 : at + 4], "little"), xorb[at + 4]
        length = int.from_bytes(xorb[at + 5 : at + 8], "little")
        found.append(unpack(xorb[at + 8 : at + 8 + packed], scheme, length))
        at += 8 + packed
    return found


def unpack(data, scheme, length):
    if scheme == 0:
        return data
    plain = pa.decompress(data, length, "lz4", asbytes=True)
    return plain if scheme == 1 else ungroup(plain)


def ungroup(data):
    """Undoes the grouping of every fourth byte."""
    whole = bytearray(len(data))
    at = 0
    for first in range(4):
        count = len(range(first, len(data), 4))
        whole[first::4] = data[at : at + count]
        at += count
    return bytes(whole)


def files(shard, xorbs):
    """sha256 -> bytes of the files that a shard puts together from xorbs."""
    at, found = ENTRY, {}
    while shard[at : at + 32] != END:
        flags, count = number(shard, at + 32), number(shard, at + 36)
        at += ENTRY
        parts = []
        for entry in range(at, at + count * ENTRY, ENTRY):
            held = xorbs[hexadecimal(shard[entry : entry + 32])]
            parts += held[number(shard, entry + 40) : number(shard, entry + 44)]
        at += count * ENTRY * (2 if flags & VERIFIED else 1)
        data = b"".join(parts)
        digest = hashlib.sha256(data).hexdigest()
        if flags & WITH_SHA256:
            if hexadecimal(shard[at : at + 32]) != digest:
                raise ValueError("the chunks do not make the file whose sha256 the shard names")
            at += ENTRY
        found[digest] = data
    return found


def number(data, at):
    return int.from_bytes(data[at : at + 4], "little")

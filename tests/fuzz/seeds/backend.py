# SPDX-License-Identifier: BSD-3-Clause
"""Back-ends that answer a device well and badly, as steps of backend_fuzz.c."""
import struct

HEADER_APART, TWO_SEGMENTS, TWO_REGIONS, MERGEABLE, IN_ORDER, PACKED, INDIRECT = (1 << i for i in range(7))
RECEIVE, TRANSMIT = 0, 1
WHERE_DUE, RIGHT_ID, OTHER_FLAGS, ANYWHERE = 0, 0x40, 0x20, 0x80


def give_back(ring, length=72):
    return bytes([0 | ring << 4]) + struct.pack("<H", length)


def used(ring, entry, ident, length, by=1):
    return bytes([1 | ring << 4, entry, ident]) + struct.pack("<Hb", length, by)


def packed_used(ring, where, ident, length, flags=0):
    return bytes([1 | ring << 4, 0, where]) + (b"" if where & RIGHT_ID else struct.pack("<H", ident)) \
        + struct.pack("<HB", length, flags)


def header(entry, buffers):
    return bytes([3, entry]) + struct.pack("<H", buffers)


def send(length):
    return bytes([4]) + struct.pack("<H", length)


def receive(capacity=2000):
    return bytes([5]) + struct.pack("<H", capacity)


def burst(what=7):
    return bytes([6, what])


RECLAIM = bytes([7])


def seeds():
    for name, what in (("plain", 0), ("cut", HEADER_APART | TWO_REGIONS), ("in_order", IN_ORDER),
                       ("indirect", INDIRECT)):
        yield f"{name}_sent", bytes([what]) + send(60) * 3 + give_back(TRANSMIT) * 2 + RECLAIM \
            + send(200) * 9 + RECLAIM
        yield f"{name}_received", bytes([what]) + (header(0, 1) + give_back(RECEIVE) + receive()) * 10 + burst()
    yield "merged", bytes([MERGEABLE]) + header(0, 3) + give_back(RECEIVE, 268) * 2 + give_back(RECEIVE) \
        + burst(0x27) + receive()
    yield "merged_too_many", bytes([MERGEABLE]) + header(0, 9) + give_back(RECEIVE, 268) * 8 + burst(0x27)
    yield "merged_not_all", bytes([MERGEABLE]) + header(0, 4) + give_back(RECEIVE, 268) * 2 + receive()
    yield "sampled", bytes([0]) + give_back(RECEIVE) * 4 + burst(0x47) + give_back(RECEIVE) + burst(0x47)
    yield "out_of_order", bytes([0]) + used(RECEIVE, 0, 3, 72) + used(RECEIVE, 1, 0, 72) + receive() * 2
    yield "twice_the_same", bytes([0]) + used(RECEIVE, 0, 3, 72) + used(RECEIVE, 1, 3, 72) + receive() * 2
    yield "not_out", bytes([0]) + send(60) + used(TRANSMIT, 0, 5, 0) + RECLAIM
    yield "beyond", bytes([0]) + used(RECEIVE, 0, 8, 72) + receive()
    yield "wild_index", bytes([0]) + used(RECEIVE, 0, 0, 72, 9) + receive() + used(TRANSMIT, 0, 0, 0, -1) + RECLAIM
    yield "too_long", bytes([0]) + give_back(RECEIVE, 0xFFFF) + receive()
    yield "too_short", bytes([0]) + give_back(RECEIVE, 11) + receive()
    for what in (PACKED, PACKED | IN_ORDER, PACKED | MERGEABLE | INDIRECT):
        yield f"packed_{what:02x}", bytes([what]) + send(60) * 4 \
            + (packed_used(TRANSMIT, RIGHT_ID, 0, 0) + RECLAIM) * 3 \
            + packed_used(TRANSMIT, WHERE_DUE, 7, 0) + RECLAIM \
            + (packed_used(RECEIVE, RIGHT_ID, 0, 72) + receive()) * 9
    yield "packed_beyond", bytes([PACKED]) + packed_used(RECEIVE, WHERE_DUE, 8, 72) + receive()
    yield "packed_flags", bytes([PACKED]) + packed_used(RECEIVE, ANYWHERE | OTHER_FLAGS | 3, 2, 72, 0x80) + receive() \
        + packed_used(RECEIVE, OTHER_FLAGS, 0, 72, 0xFF) + receive()

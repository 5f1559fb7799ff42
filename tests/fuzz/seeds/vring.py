# SPDX-License-Identifier: BSD-3-Clause
"""Guests and workers at a ring, as steps of vring_fuzz.c."""
import struct

NEXT, WRITE, INDIRECT = 1, 2, 4
FIRST_ONLY = 0x80
SOURCE, DESTINATION, SHARED = range(3)
BUFFERS = 0x4000  # a place in region 0
PLAIN, AT_ENDS, ODD_PLACES = 0, 8, 16
EVENT, INDIRECT_FEATURE, MERGEABLE = 0x20, 0x40, 0x80

# --- the guest: ring_guest.c


def desc(place, length, flags=0, following=0):
    return struct.pack("<HHBB", place, length, flags, following)


def describe(index, *rest, post=True):
    return bytes([0, index | (0x80 if post else 0)]) + desc(*rest)


def fill(first, count, stride, *rest):
    return bytes([1, first, count, stride]) + desc(*rest)


def write(place, data):
    return struct.pack("<BHB", 2, place, len(data)) + data


def indirect_table(place, *entries):
    return struct.pack("<BHB", 3, place, len(entries)) + b"".join(desc(*entry) for entry in entries)


def move_index(by):
    return bytes([4, 1, by & 0xFF])


def entry(index, head):
    return struct.pack("<BBBH", 4, 2, index, head)


def event_word(value):
    return struct.pack("<BBH", 4, 4, value)


def used_index(value):
    return struct.pack("<BBH", 4, 8, value)


def avail_flags(value):
    return struct.pack("<BBH", 4, 0, value)


def post(head):
    return bytes([5, head])


def guest(*steps):
    return b"".join(b"\x80" + one for one in steps)


# --- the worker: ring_source.c, ring_destination.c; between its looks the guest may take 3 steps


def take(most, complete=255, between=()):
    return bytes([0, most - 1, complete, len(between)]) + b"".join(between)


def attempt(*lengths, bid=255, age=0, fresh=True, how=0, between=()):
    frames = (len(lengths) - 1) | (0x80 if fresh else 0)
    return bytes([0, how, frames, bid, age]) + struct.pack(f"<{len(lengths)}H", *lengths) \
        + bytes([len(between)]) + b"".join(between)


def duel(length, rival):
    return attempt(length, how=8) + bytes([0x80, 255, 0]) + struct.pack("<H", rival)


def overtaken_early(length, rival):
    """The rival commits after the other has looked and before it reads."""
    return bytes([0, 32, 0x80, 255, 0, 0x80, 255, 0]) + struct.pack("<HHB", rival, length, 0)


def abort(*lengths, **rest):
    return attempt(*lengths, how=16, **rest)


def finish(which=0):
    return bytes([0, 1 | which << 3])


def share(shared):
    return bytes([0, 7 | (8 if shared else 0)])


def kicks(wanted):
    return bytes([7 | (8 if wanted else 0)])


def ring(role, *steps, what=PLAIN, size_bits=3):
    return bytes([what | size_bits, role]) + b"".join(steps)


def source_seeds():
    plain = fill(0, 8, 200, BUFFERS, 72)
    yield "plain", ring(SOURCE, guest(plain), take(8), guest(plain), take(4), take(64))
    yield "chain", ring(SOURCE, guest(
        describe(0, BUFFERS, 4, NEXT, 1), describe(1, BUFFERS + 100, 8, NEXT, 2, post=False),
        describe(2, BUFFERS + 200, 60, NEXT, 3, post=False), describe(3, 0x8000, 30, post=False)), take(1))
    yield "loop", ring(SOURCE, guest(describe(0, BUFFERS, 100, NEXT, 0), describe(1, BUFFERS, 4, NEXT, 1)), take(2))
    yield "next_behind_the_table", ring(SOURCE, guest(describe(0, 0x8000, 100, NEXT, 16)), take(1), what=AT_ENDS)
    yield "loop_over_all", ring(SOURCE, guest(fill(0, 16, 0, BUFFERS, 100, NEXT)), take(16))
    yield "indirect", ring(SOURCE, guest(
        indirect_table(BUFFERS + 1, (BUFFERS + 600, 50, NEXT, 1), (BUFFERS + 700, 50, NEXT, 2), (0x8000, 50)),
        describe(0, BUFFERS + 1, 48, INDIRECT), describe(1, BUFFERS, 12, NEXT, 2),
        describe(2, BUFFERS + 1, 48, INDIRECT, post=False)), take(2), what=INDIRECT_FEATURE)
    yield "indirect_wrong", ring(SOURCE, guest(
        indirect_table(BUFFERS, (BUFFERS, 50, INDIRECT), (BUFFERS, 50, NEXT, 9)),
        describe(0, BUFFERS, 0, INDIRECT), describe(1, BUFFERS, 47, INDIRECT), describe(2, BUFFERS, 272, INDIRECT),
        describe(3, BUFFERS, 32, INDIRECT | NEXT), describe(4, BUFFERS, 16, INDIRECT),
        describe(5, BUFFERS + 16, 16, INDIRECT), describe(6, 0x7FF0, 32, INDIRECT)), take(8),
        what=INDIRECT_FEATURE)
    yield "indirect_unasked", ring(SOURCE, guest(describe(0, BUFFERS, 16, INDIRECT)), take(1))
    yield "bad_lengths", ring(SOURCE, guest(*(
        describe(i, BUFFERS, length) for i, length in enumerate((0, 1, 11, 12, 13, 0xFEFF, 0xFF00, 0xFFFF)))), take(8))
    yield "too_long", ring(SOURCE, guest(fill(0, 16, 0, 0, 0x7FFF, NEXT | FIRST_ONLY)), take(1))
    yield "bad_flags", ring(SOURCE, guest(describe(0, BUFFERS, 72, WRITE), describe(1, BUFFERS, 12, NEXT, 2),
                                          describe(2, BUFFERS, 60, WRITE, post=False)), take(2))
    yield "ends_of_regions", ring(SOURCE, guest(
        describe(0, 0x7FB8, 72), describe(1, 0x7FB9, 72), describe(2, 0xBFB8, 72), describe(3, 0xBFB9, 72),
        describe(4, 0xDFB8, 72), describe(5, 0xDFB9, 72), describe(6, 0xE003, 72), describe(7, 0xE006, 72)),
        take(8), what=AT_ENDS)
    yield "wild_index", ring(SOURCE, guest(move_index(17)), take(4), guest(move_index(-17)), take(4))
    yield "index_back", ring(SOURCE, guest(plain), take(8, 0), guest(move_index(-3)), take(8))
    yield "wild_head", ring(SOURCE, guest(plain, entry(3, 16)), take(8), take(8))
    yield "rewritten_meanwhile", ring(SOURCE, guest(plain), take(8, between=[
        describe(0, 0xE001, 0xFFFF), entry(0, 0xFFFF), move_index(100)]), take(8))
    yield "used_rewritten", ring(SOURCE, guest(plain), take(4, between=[used_index(77)]), take(4))
    yield "many_pieces", ring(SOURCE, guest(fill(0, 255, 13, BUFFERS, 20, NEXT)), take(64), take(64), size_bits=7)
    yield "events", ring(SOURCE, kicks(True), guest(plain, event_word(3)), take(8), kicks(False), kicks(True),
            what=EVENT)
    yield "no_interrupts", ring(SOURCE, guest(plain, avail_flags(1)), take(8))
    yield "longest", ring(SOURCE, guest(describe(0, 0xE000, 0xFE00), describe(1, 0xE000, 0xFE01)), take(70))
    yield "ring_in_itself", ring(SOURCE, guest(describe(0, 0, 256), describe(1, 0x2000, 134)), take(2))


def destination_seeds():
    buffers = fill(0, 16, 200, BUFFERS, 200, WRITE)
    small = fill(0, 16, 64, BUFFERS, 64, WRITE)
    yield "reserve", ring(DESTINATION, guest(buffers), attempt(60, 60, 60), finish(), attempt(60), abort(60), finish())
    yield "full", ring(DESTINATION, attempt(60), guest(buffers), attempt(*[60] * 16), attempt(60), finish(),
            attempt(60))
    yield "price", ring(DESTINATION, guest(buffers), attempt(*[60] * 12, bid=1), attempt(60, bid=0), finish(),
                        attempt(60, bid=0, age=1), attempt(60, bid=4, age=2, fresh=False))
    yield "mergeable", ring(DESTINATION, guest(small), attempt(300, 40, 500), finish(), what=MERGEABLE)
    yield "not_enough", ring(DESTINATION, guest(fill(0, 4, 64, BUFFERS, 64, WRITE)), attempt(900), what=MERGEABLE)
    yield "too_small", ring(DESTINATION, guest(small), attempt(60), attempt(40, 53), finish())
    yield "chained", ring(DESTINATION, guest(
        describe(0, BUFFERS, 12, WRITE | NEXT, 1), describe(1, BUFFERS + 100, 30, WRITE | NEXT, 2, post=False),
        describe(2, 0x8000, 100, WRITE, post=False)), attempt(60), finish())
    yield "chain_loops", ring(DESTINATION, guest(describe(0, BUFFERS, 12, WRITE | NEXT, 0)), attempt(600), attempt(60))
    yield "indirect", ring(DESTINATION, guest(
        indirect_table(BUFFERS + 3, (BUFFERS + 600, 12, NEXT | WRITE, 1), (0x8100, 100, WRITE)),
        describe(0, BUFFERS + 3, 32, INDIRECT)), attempt(60), finish(), what=INDIRECT_FEATURE | MERGEABLE)
    yield "read_only", ring(DESTINATION, guest(fill(0, 2, 0, BUFFERS, 200)), attempt(60), attempt(60))
    yield "outside", ring(DESTINATION, guest(fill(0, 2, 0, 0x7FFF, 200, WRITE)), attempt(60), attempt(60))
    yield "no_header", ring(DESTINATION, guest(fill(0, 4, 0, BUFFERS, 5, WRITE)), attempt(60), what=MERGEABLE)
    yield "wild_head", ring(DESTINATION, guest(buffers, entry(1, 0x8000)), attempt(60, 60), finish(), attempt(60))
    yield "wild_index", ring(DESTINATION, guest(buffers, move_index(5)), attempt(60), guest(move_index(-5)),
            attempt(60))
    yield "huge_buffers", ring(DESTINATION, guest(fill(0, 3, 0, 0, 0x8000, WRITE)), attempt(1514), finish())
    yield "longest", ring(DESTINATION, guest(fill(0, 8, 0, 0, 0x7F00, WRITE)), attempt(65535), finish(),
            what=MERGEABLE)
    yield "over_the_ring", ring(DESTINATION, guest(fill(0, 4, 0, 0x2000, 200, WRITE)), attempt(60, 60), finish(),
            attempt(60))
    yield "crowded", ring(DESTINATION, guest(fill(0, 40, 5, BUFFERS, 13, WRITE | NEXT | FIRST_ONLY), *[post(0)] * 20),
                          attempt(*[488] * 16), finish(), attempt(*[60] * 4), finish(), size_bits=7)
    yield "longest_alone", ring(DESTINATION, guest(
        describe(0, 0xE000, 0xFE10, WRITE | NEXT, 1), describe(1, 0xE000, 0xFE10, WRITE)),
                                attempt(65535), attempt(60), finish())
    yield "rewritten_meanwhile", ring(DESTINATION, guest(buffers), attempt(60, 60, between=[
        fill(0, 16, 0, 0xE000, 5), entry(0, 999), move_index(99)]), finish())
    yield "at_ends", ring(DESTINATION, guest(
        describe(0, 0x7FB8, 72, WRITE), describe(1, 0xBFB8, 72, WRITE), describe(2, 0xDFB8, 72, WRITE)),
        attempt(60, 60, 60), finish(), what=AT_ENDS)


def shared_seeds():
    buffers = fill(0, 16, 200, BUFFERS, 200, WRITE)
    yield "in_order", ring(SHARED, guest(buffers), attempt(60, 60), attempt(60), finish(0), finish(1), attempt(60))
    yield "out_of_order", ring(SHARED, guest(buffers), attempt(60, 60), attempt(60), attempt(60), finish(2),
            finish(1), finish(0))
    yield "overtaken", ring(SHARED, guest(buffers), duel(60, 60), duel(60, 1500), finish(1), finish(0))
    yield "wild_index", ring(SHARED, guest(buffers), attempt(60), guest(move_index(-10)), attempt(60), finish())
    yield "broken_head", ring(SHARED, guest(buffers, entry(0, 77)), duel(60, 60), attempt(60))
    yield "overtaken_early", ring(SHARED, guest(buffers), overtaken_early(60, 60), finish(), guest(entry(2, 99)),
                                  overtaken_early(300, 60), finish(1), what=MERGEABLE)
    yield "alone_again", ring(SHARED, guest(buffers), attempt(60), share(False), attempt(60), finish(), share(True),
            attempt(60))
    yield "mergeable", ring(SHARED, guest(buffers), attempt(900), attempt(900), finish(1), finish(0), what=MERGEABLE)


def starts():
    for role in range(3):
        yield f"odd_places_{role}", bytes([ODD_PLACES | 3, 1, 0, 0, 0, 0, 0, role, 0, 1, 2, 3])
    yield "overlapping_areas", bytes([ODD_PLACES | 3, 0, 0, 0, 16, 0, 0, 0, 0, 1, 2, 3])
    yield "area_outside", bytes([ODD_PLACES | 7, 0, 0, 0, 0, 0xF0, 0xFF, 0, 0, 1, 2, 3])


def seeds():
    for kind, group in (("source", source_seeds), ("destination", destination_seeds), ("shared", shared_seeds),
                        ("start", starts)):
        for name, data in group():
            yield f"{kind}_{name}", data


def race(role, theirs, worker_steps, **rest):
    """The guest's steps come first; how many 256ths of all they are, rounded up."""
    ours = b"".join(worker_steps)
    size = len(theirs) + len(ours)
    part = next(part for part in range(256) if size * part // 256 >= len(theirs))
    return ring(role, bytes([part]), theirs, ours[size * part // 256 - len(theirs):], **rest)


def thread(role, guest_steps, worker_steps, **rest):
    return race(role, b"".join(guest_steps), worker_steps, **rest)


def between(role, first, guest_steps, worker_steps, **rest):
    """Steps of the guest before the worker's first, and then (reads in between, step)."""
    return race(role, bytes([len(first)]) + b"".join(first)
                + b"".join(bytes([gap]) + one for gap, one in guest_steps), worker_steps, **rest)


def race_seeds():
    frames = [fill(0, 8, 200, BUFFERS, 72), describe(1, 0xE001, 0xFFFF), describe(1, BUFFERS, 100, NEXT, 2)]
    buffers = [fill(0, 16, 200, BUFFERS, 200, WRITE), describe(1, 0xE002, 200, WRITE, post=False),
               describe(2, BUFFERS, 13, WRITE | NEXT, 3, post=False)]
    table = [indirect_table(BUFFERS, (BUFFERS + 600, 50, NEXT, 1), (0x8000, 50)), describe(0, BUFFERS, 32, INDIRECT),
             indirect_table(BUFFERS, (0xE003, 0xFFFF, NEXT, 7), (0x8000, 50, INDIRECT))]
    yield "frames", thread(SOURCE, frames, [take(64), take(8), take(8, 2)] * 4)
    yield "index", thread(SOURCE, frames + [move_index(3), move_index(-2), entry(0, 99), entry(0, 1)], [take(16)] * 6)
    yield "indirect", thread(SOURCE, table, [take(8)] * 6, what=INDIRECT_FEATURE)
    yield "chains", thread(SOURCE, [fill(0, 16, 16, BUFFERS, 20, NEXT), describe(3, BUFFERS, 20, 0, 0, post=False)],
            [take(64)] * 6)
    yield "buffers", thread(DESTINATION, buffers, [attempt(60, 300), finish(), attempt(1500), finish()] * 3,
            what=MERGEABLE)
    yield "buffers_one_each", thread(DESTINATION, buffers, [attempt(60, 60, 60), abort(60), finish()] * 3)
    yield "indirect_buffers", thread(DESTINATION, [
        indirect_table(BUFFERS, (BUFFERS + 600, 50, NEXT | WRITE, 1), (0x8000, 900, WRITE)),
        describe(0, BUFFERS, 32, INDIRECT), indirect_table(BUFFERS, (0xE003, 0xFFFF, NEXT | WRITE, 7))],
        [attempt(600), finish()] * 4, what=INDIRECT_FEATURE | MERGEABLE)
    yield "shared", thread(SHARED, buffers + [move_index(1)], [attempt(60), duel(60, 60), finish(1), finish(0)] * 3)
    yield "used_ring", thread(SOURCE, frames + [used_index(5), event_word(9), avail_flags(1)], [take(8),
            kicks(True)] * 4, what=EVENT)


def between_seeds():
    good = describe(0, BUFFERS, 72)
    for gap in range(6):
        yield f"length_{gap}", between(SOURCE, [good], [
            (gap, describe(0, 0x7FF0, 0xFDFF)), (0, describe(0, 0x7FF0, 14))], [take(8), take(8)])
    yield "head", between(SOURCE, [good], [(1, entry(0, 0xFFFF)), (1, entry(1, 7)), (0, move_index(9))], [take(8)] * 3)
    yield "chain", between(SOURCE, [describe(0, BUFFERS, 4, NEXT, 1), describe(1, BUFFERS, 70, post=False)], [
        (3, describe(1, 0xE002, 0xFFFF, NEXT, 1, post=False)), (2, describe(0, BUFFERS, 4, NEXT, 255))], [take(8)] * 3)
    yield "indirect", between(SOURCE, [
        indirect_table(BUFFERS, (BUFFERS + 600, 50, NEXT, 1), (0x8000, 50)), describe(0, BUFFERS, 32, INDIRECT)], [
            (3, describe(0, 0xBFF8, 0xFEFF, INDIRECT)), (0, indirect_table(BUFFERS, (0xE003, 0xFFFF, NEXT, 7)))],
        [take(8)] * 3, what=INDIRECT_FEATURE)
    buffers = fill(0, 16, 200, BUFFERS, 200, WRITE)
    for gap in range(4):
        yield f"buffer_{gap}", between(DESTINATION, [buffers], [
            (gap + 3, describe(0, 0x7FF0, 0xFDFF, WRITE)), (0, describe(1, 0xE001, 1, WRITE))],
            [attempt(60, 60), finish(), attempt(300), finish()], what=MERGEABLE)
    yield "shared", between(SHARED, [buffers], [(4, entry(1, 99)), (3, move_index(-9)), (2, move_index(40))],
                            [duel(60, 60), attempt(1500), finish(), finish(1)], what=MERGEABLE)
    yield "used_index", between(SOURCE, [good], [(2, used_index(9)), (1, avail_flags(1)), (0, event_word(3))],
                                [take(8), kicks(True), take(8)], what=EVENT)

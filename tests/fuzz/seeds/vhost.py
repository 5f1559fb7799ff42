# SPDX-License-Identifier: BSD-3-Clause
"""Conversations of front-ends as steps of vhost_message_fuzz.c."""
import struct

# Requests: "Vhost-user Protocol", front-end message types.
(GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE, SET_LOG_FD,
 SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL,
 SET_VRING_ERR, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE,
 SEND_RARP, NET_SET_MTU) = range(1, 21)
GET_INFLIGHT_FD, SET_INFLIGHT_FD = 31, 32
RESET_DEVICE, GET_MAX_MEM_SLOTS, ADD_MEM_REG, REM_MEM_REG, SET_STATUS, GET_STATUS = \
    34, 36, 37, 38, 39, 40

# Kinds of descriptors: passed_files.c.
MEMORY_1M, MEMORY_64K, MEMORY_8K, MEMORY_4K, MEMORY_0, MEMORY_4G, MEMORY_SEALED, MEMORY_4097 = range(8)
READ_ONLY, WRITE_ONLY, PATH_ONLY, EVENTFD, EVENTFD_NONBLOCK, SEMAPHORE, FULL_EVENTFD = range(8, 15)
PIPE, SOCKET, DIRECTORY, ZERO, DISK_FILE, TIMER, EPOLL = 15, 17, 19, 20, 21, 22, 23

GUEST, USER = 0x40000000, 0x7F0000000000
RING_SIZE = 16
VERSION_1, PROTOCOL, EVENT_IDX, INDIRECT, MERGEABLE = 1 << 32, 1 << 30, 1 << 29, 1 << 28, 1 << 15
NEED_REPLY = 8
# MQ, RARP, REPLY_ACK, NET_MTU, RESET_DEVICE, CONFIGURE_MEM_SLOTS, STATUS
PROTOCOL_FEATURES = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 13 | 1 << 15 | 1 << 16


def step(what, fds=(), at=0):
    return bytes([what | at << 3 | len(fds) << 4])


def message(request, payload=b"", fds=(), flags=0, at=0, longer=0):
    odd = bytes([128 + longer]) if longer else b""
    payload = payload[:len(payload) + min(longer, 0)]
    return step(0, fds, at) + bytes([request, flags | (0x80 if longer else 0), *fds]) + odd + payload


def u64(request, value=0, **rest):
    return message(request, struct.pack("<Q", value), **rest)


def ring_value(request, index, number=0, **rest):
    return message(request, struct.pack("<II", index, number), **rest)


def region(guest=GUEST, size=1 << 20, user=USER, offset=0):
    return struct.pack("<4Q", guest, size, user, offset)


def table(*regions, fds, count=None, **rest):
    count = len(regions) if count is None else count
    return message(SET_MEM_TABLE, struct.pack("<II", count, 0) + b"".join(regions), fds, **rest)


def slot(request, what, fds=(), **rest):
    return message(request, bytes(8) + what, fds, **rest)


def areas(index):
    place = 0x4000 * index
    return place, place + 0x1000, place + 0x2000


def addresses(index, user=USER, **rest):
    desc, avail, used = areas(index)
    return message(SET_VRING_ADDR, struct.pack(
        "<II4Q", index, 0, user + desc, user + used, user + avail, 0), **rest)


def ring(index, size=RING_SIZE, enable=True, at=0):
    return (u64(SET_VRING_CALL, index, fds=[EVENTFD_NONBLOCK], at=at)
            + ring_value(SET_VRING_NUM, index, size, at=at)
            + ring_value(SET_VRING_BASE, index, 0, at=at)
            + addresses(index, at=at)
            + u64(SET_VRING_KICK, index, fds=[EVENTFD], at=at)
            + (ring_value(SET_VRING_ENABLE, index, 1, at=at) if enable else b""))


def memory(at=0, kind=MEMORY_1M):
    return table(region(), fds=[kind], at=at)


def hello(features=VERSION_1 | PROTOCOL, protocol=PROTOCOL_FEATURES, at=0):
    return (message(SET_OWNER, at=at) + message(GET_FEATURES, at=at)
            + message(GET_PROTOCOL_FEATURES, at=at) + u64(SET_PROTOCOL_FEATURES, protocol, at=at)
            + message(GET_QUEUE_NUM, at=at) + u64(SET_FEATURES, features, at=at))


def write(kind, offset, data):
    return step(5) + bytes([kind]) + offset.to_bytes(3, "little") + bytes([len(data)]) + data


def resize(kind, size):
    return step(4) + bytes([kind]) + size.to_bytes(3, "little")


def event(number, at=0):
    return step(7, at=at) + bytes([number])


def poll(at=0):
    return step(6, at=at)


def hang_up(at=0):
    return step(3, at=at)


def raw(data, fds=(), at=0):
    return step(2, fds, at) + bytes([*fds, len(data)]) + data


INTRUDE, CONDEMN, DEAF, REFUSE_MTU, REFUSE_PRESENCE, REPLACE, SHUT = (event(i) for i in range(7))
UNREACHABLE, CLOSE_SLOWLY = event(7, 1), event(8)


def wait(milliseconds):
    return step(7) + bytes([9, milliseconds // 16])


def posted(index, flags, length=72, head=0):
    """A descriptor of one buffer, available."""
    desc, avail, _ = areas(index)
    return (write(MEMORY_1M, desc, struct.pack("<QIHH", GUEST + 0x80000, length, flags, 0))
            + write(MEMORY_1M, avail, struct.pack("<HHH", 0, 1, head)))


def running(features=VERSION_1 | PROTOCOL):
    return hello(features) + memory() + ring(0) + ring(1)


def pages(number):
    return region(GUEST + number * 0x2000, 0x1000, USER + number * 0x2000)


def seeds():
    header = struct.pack("<III", GET_FEATURES, 1, 0)
    yield "qemu", running() + poll() + u64(NET_SET_MTU, 1500, flags=NEED_REPLY) \
        + u64(SEND_RARP, 0x010000000002) + u64(SET_FEATURES, VERSION_1 | PROTOCOL) \
        + ring_value(GET_VRING_BASE, 0) + ring_value(GET_VRING_BASE, 1)
    yield "virtio_user", message(SET_OWNER) + message(GET_FEATURES) + u64(SET_FEATURES, VERSION_1) \
        + memory() + ring(0, enable=False) + ring(1, enable=False) + poll() + u64(SET_STATUS, 15) \
        + message(GET_STATUS) + u64(SET_STATUS, 0)
    yield "eight_pairs", hello(at=1) + memory(at=1) \
        + b"".join(ring(i, at=1) for i in range(0, 16, 5)) + poll(1) + hang_up(1) + hello(at=1)
    yield "frames", running(VERSION_1 | PROTOCOL | EVENT_IDX | INDIRECT | MERGEABLE) \
        + posted(0, 2) + posted(1, 0) + poll() + ring_value(GET_VRING_BASE, 1)
    yield "memory_slots", hello() + message(GET_MAX_MEM_SLOTS) \
        + slot(ADD_MEM_REG, region(size=0x20000), [MEMORY_1M], flags=NEED_REPLY) + ring(0) + ring(1) \
        + slot(ADD_MEM_REG, region(GUEST + 0x20000, 0x1000, USER + 0x20000), [MEMORY_4K]) \
        + poll() + slot(REM_MEM_REG, region(GUEST + 0x20000, 0x1000, USER + 0x20000), [MEMORY_4K]) \
        + slot(REM_MEM_REG, region(size=0x20000)) + poll() \
        + slot(ADD_MEM_REG, region(size=0x20000), [MEMORY_1M]) + poll()
    yield "slot_unknown", hello() + slot(REM_MEM_REG, region(), flags=NEED_REPLY) + memory() \
        + slot(REM_MEM_REG, region(size=4096), flags=NEED_REPLY)
    yield "many_slots", hello() + b"".join(
        slot(ADD_MEM_REG, pages(i), [MEMORY_4K], flags=NEED_REPLY) for i in range(33))
    yield "eight_regions", hello() + table(*(pages(i) for i in range(8)), fds=[MEMORY_4K] * 8) + ring(0)
    yield "memory_replaced", running() + table(
        region(offset=4096, size=0xFF000), fds=[MEMORY_1M]) + poll() + memory(kind=MEMORY_SEALED)
    yield "memory_overlaps", hello() + table(
        region(), region(GUEST + 4096, 4096, 0), fds=[0, 0], flags=NEED_REPLY)
    yield "memory_wraps", hello() + table(region(GUEST, 1 << 63, USER, 1 << 63), fds=[0], flags=NEED_REPLY) \
        + table(region(0xFFFFFFFFFFFFF000, 0x2000), fds=[0], flags=NEED_REPLY) \
        + table(region(size=0), fds=[0], flags=NEED_REPLY) \
        + table(region(0xFFFFFFFFFFFFF000, 0x1000), fds=[0], flags=NEED_REPLY)
    yield "memory_huge", hello() + table(region(size=1 << 32), fds=[MEMORY_4G]) + ring(0, 32768) + poll()
    yield "memory_amount", hello() + table(region(size=1 << 41), fds=[MEMORY_4G], flags=NEED_REPLY)
    yield "memory_short", hello() + table(region(size=0x2000), fds=[MEMORY_4097], flags=NEED_REPLY) \
        + table(region(size=4097), fds=[MEMORY_4097], flags=NEED_REPLY)
    yield "memory_of_other_kinds", hello() + b"".join(
        table(region(size=4096), fds=[kind], flags=NEED_REPLY) for kind in range(4, 24))
    yield "table_count", hello() + table(region(), fds=[0], count=9, flags=NEED_REPLY) \
        + table(region(), fds=[0], count=0, flags=NEED_REPLY)
    yield "table_fds", hello() + table(region(), pages(800), fds=[0], flags=NEED_REPLY, longer=32) + memory()
    yield "table_count_2", table(region(), fds=[0], count=2)
    yield "table_sizes", table(region(), fds=[0], longer=-8) + message(SET_VRING_KICK, bytes(8), [11, 11])
    yield "memory_unaligned", hello() + table(region(size=0xF0000, offset=8), fds=[0], flags=NEED_REPLY) + ring(0)
    yield "file_shrinks", running() + posted(1, 0) + resize(MEMORY_1M, 0) + poll() + hello()
    yield "file_shrinks_to_half", running() + posted(0, 2) + resize(MEMORY_1M, 0x8000) + poll() + poll()
    yield "wild_index", running() + write(MEMORY_1M, areas(1)[1], b"\0\0\xff\xff") + poll()
    yield "wild_head", running() + posted(1, 0, head=RING_SIZE) + poll()
    yield "receive_buffer_read_only", running() + posted(0, 0) + poll()
    yield "ring_sizes", hello() + b"".join(
        ring_value(SET_VRING_NUM, 0, size, flags=NEED_REPLY) for size in (0, 1, 2, 3, 32768, 65536, 1 << 31))
    yield "ring_numbers", hello() + b"".join(
        ring_value(request, 16, 2, flags=NEED_REPLY)
        for request in (SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ENABLE)) \
        + addresses(300, flags=NEED_REPLY) + u64(SET_VRING_CALL, 16, fds=[EVENTFD], flags=NEED_REPLY) \
        + ring_value(GET_VRING_BASE, 16)
    yield "ring_unaligned", hello() + addresses(0, user=USER + 1, flags=NEED_REPLY) \
        + addresses(0, flags=NEED_REPLY) + ring_value(SET_VRING_BASE, 0, 65536, flags=NEED_REPLY)
    yield "ring_logged", hello() + message(SET_VRING_ADDR, struct.pack("<II4Q", 0, 1, 0, 0, 0, 0), flags=NEED_REPLY)
    yield "ring_outside", hello() + memory(kind=MEMORY_1M) + ring(0, 32768)
    yield "ring_overlaps", hello() + memory() + ring_value(SET_VRING_NUM, 0, 16) + message(
        SET_VRING_ADDR, struct.pack("<II4Q", 0, 0, USER, USER, USER, 0)) \
        + u64(SET_VRING_KICK, 0x100) + ring_value(SET_VRING_ENABLE, 0, 1)
    yield "ring_changes_while_it_runs", running() + ring_value(SET_VRING_NUM, 1, 32) + addresses(1) \
        + poll() + ring_value(SET_VRING_ENABLE, 1, 0) + poll() + ring_value(SET_VRING_ENABLE, 1, 1) \
        + ring_value(SET_VRING_ENABLE, 1, 2, flags=NEED_REPLY) + u64(SET_FEATURES, VERSION_1)
    yield "legacy_ring", message(SET_OWNER) + u64(SET_FEATURES, 0) + memory() + ring(0, enable=False)
    yield "kick_of_other_kinds", hello() + b"".join(
        u64(SET_VRING_KICK, 1, fds=[kind], flags=NEED_REPLY) for kind in (0, 12, 13, 14, 15, 17, 19, 22)) \
        + u64(SET_VRING_KICK, 1, flags=NEED_REPLY) + u64(SET_VRING_KICK, 0x101, flags=NEED_REPLY) \
        + u64(SET_VRING_KICK, 0x200, flags=NEED_REPLY)
    yield "call_and_err", running() + u64(SET_VRING_CALL, 1, fds=[FULL_EVENTFD]) \
        + u64(SET_VRING_CALL, 0x101) + u64(SET_VRING_ERR, 1, fds=[EVENTFD]) + posted(1, 0) + poll()
    yield "features_not_offered", hello() + u64(SET_FEATURES, (1 << 64) - 1, flags=NEED_REPLY) \
        + u64(SET_PROTOCOL_FEATURES, (1 << 64) - 1, flags=NEED_REPLY)
    yield "reset", running() + message(RESET_OWNER) + poll() + message(RESET_DEVICE, flags=NEED_REPLY) \
        + u64(SET_FEATURES, VERSION_1) + ring(0) + ring(1) + poll()
    yield "status_too_wide", hello() + u64(SET_STATUS, 256, flags=NEED_REPLY) + u64(NET_SET_MTU, 67, flags=NEED_REPLY)
    yield "not_offered", b"".join(
        message(request) for request in (SET_LOG_BASE, SET_LOG_FD, GET_INFLIGHT_FD, SET_INFLIGHT_FD, 21, 24, 35))
    yield "unknown", message(0) + message(47) + u64(200)
    yield "wrong_version", message(GET_FEATURES, flags=1) + message(GET_FEATURES, flags=4)
    yield "wrong_size", message(SET_FEATURES, longer=-8) + message(SET_OWNER, bytes(4), longer=4)
    yield "byte_by_byte", b"".join(raw(bytes([byte])) for byte in header)
    yield "two_in_one", raw(header + header + header[:5]) + hang_up() + raw(header[:3])
    yield "descriptors_in_parts", raw(header[:1], [0, 1, 2, 3]) + raw(header[1:2], [4, 5, 6, 11]) \
        + raw(header[2:3], [12])
    yield "too_many_descriptors", message(SET_OWNER, fds=list(range(15)))
    yield "descriptor_unasked", message(GET_FEATURES, fds=[0])
    yield "intruder", INTRUDE + hello() + INTRUDE + memory() + SHUT + INTRUDE
    yield "condemned", running() + CONDEMN + hello() + REFUSE_MTU + u64(NET_SET_MTU, 1500) + REFUSE_PRESENCE + hello()
    yield "deaf", DEAF + hello() + raw(header * 21) * 40
    yield "late_reader", DEAF + raw(header * 21) * 20 + DEAF + raw(header * 21) * 4 + hello()
    yield "replaced", hello() + REPLACE + hello() + REPLACE
    yield "silent", raw(header[:5]) + wait(900) + wait(200) + raw(header + header[:4]) + wait(1100)
    yield "payload_never_comes", hello() + raw(struct.pack("<III", SET_FEATURES, 1, 8) + b"abc") + wait(1100)
    yield "replies_never_read", DEAF + raw(header * 21) * 20 + wait(1100) + wait(4000)
    yield "unreachable", hello(at=1) + UNREACHABLE + hang_up(1) + wait(112) + wait(208) \
        + wait(1008) + wait(1008) + hello(at=1)
    yield "leaves_and_is_found_again", hang_up(1) + wait(112) + hello(at=1) + hang_up(1) + wait(16) + wait(1000) \
        + event(1, 1) + wait(2000) + hello(at=1) + event(6, 1) + wait(1000)
    yield "slow_closing", hello() + CLOSE_SLOWLY + table(region(), fds=[DIRECTORY], flags=NEED_REPLY) + REPLACE * 12 \
        + wait(112) * 9 + INTRUDE + wait(208) + hello() + hello(at=1) + CLOSE_SLOWLY + hang_up(1) + wait(112) \
        + wait(1008) + hello(at=1)
    yield "both", hello() + hello(at=1) + memory() + memory(at=1) + ring(1) + ring(1, at=1) + poll() + poll(1) \
        + hang_up() + poll(1)

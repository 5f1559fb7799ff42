# SPDX-License-Identifier: BSD-3-Clause
"""Frames of real protocols, whole and in pieces."""
import struct

OWN, OTHER, BROADCAST = bytes.fromhex("020000000001"), bytes.fromhex("020000000002"), b"\xff" * 6


def ethernet(kind, payload=b"", source=OWN, destination=OTHER):
    return destination + source + struct.pack("!H", kind) + payload


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol, payload, source=0xC6120001, destination=0xC6120002):
    head = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, source, destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(following, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + payload


def udp(payload):
    return struct.pack("!HHHH", 1, 2, 8 + len(payload), 0) + payload


def frames():
    yield "udp", ethernet(0x0800, ipv4(17, udp(bytes(range(60)))))
    yield "udp_short", ethernet(0x0800, ipv4(17, udp(b""))[:24])
    yield "tcp", ethernet(0x0800, ipv4(6, struct.pack("!HHIIBBHHH", 80, 1025, 1, 2, 0x50, 2, 100, 0, 0)))
    yield "options", ethernet(0x0800, b"\x4f" + ipv4(17, bytes(80))[1:])
    yield "header_too_short", ethernet(0x0800, b"\x41" + ipv4(17, udp(bytes(30)))[1:])
    yield "echo", ethernet(0x0800, ipv4(1, b"\x08\0" + struct.pack("!H", checksum(b"\x08\0" + bytes(30))) + bytes(28)))
    yield "echo_answer", ethernet(0x0800, ipv4(1, bytes(32)))
    yield "arp", ethernet(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + OWN + b"\1\2\3\4"
                          + bytes(6) + b"\1\2\3\5",
                          destination=BROADCAST)
    yield "arp_answer", ethernet(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + bytes(20))
    yield "ipv6", ethernet(0x86DD, ipv6(17, udp(bytes(20))))
    yield "ipv6_options", ethernet(0x86DD, ipv6(0, b"\x3c\xff" + bytes(6)))
    yield "vlan", ethernet(0x8100, struct.pack("!HH", 100, 0x0800) + ipv4(17, udp(bytes(20))))
    yield "runt", OTHER + OWN
    yield "forged", ethernet(0x88B5, bytes(50), source=OTHER)
    yield "group_source", ethernet(0x88B5, bytes(50), source=BROADCAST)
    yield "long", ethernet(0x88B5, bytes(1500))


def classify_seeds():
    for name, data in frames():
        for how, cuts in (("whole", [len(data)]), ("pieces", [1, 5, 3, 7, 2, 30]), ("at_64", [60, 5])):
            if how != "whole" and name not in ("udp", "vlan", "forged"):
                continue
            yield f"{name}_{how}", bytes([1]) + OWN + frame(data, cuts)
    yield "several", bytes([0]) + OWN + b"".join(frame(data, [20, 20, 20]) for _, data in list(frames())[:4])
    yield "group_source_unchecked", bytes([0]) + OWN + frame(dict(frames())["group_source"], [64])
    yield "forged_unchecked", bytes([0]) + OWN + frame(dict(frames())["forged"], [64])
    yield "thirteen", bytes([0]) + OWN + frame(bytes(13), [6, 7])
    yield "dropped_before", bytes([1]) + OWN + bytes([0x83]) + frame(bytes(30), [20])


def frame(data, cuts):
    """As classify_fuzz.c takes it: each piece's length before its bytes."""
    parts = []
    for cut in cuts:
        if data:
            size = min(cut, len(data), 239)
            parts.append(bytes([size]) + data[:min(size, 128)])
            data = data[size:]
    return bytes([len(parts)]) + b"".join(parts)


def received_seeds():
    for name, data in frames():
        yield name, bytes([6]) + data
    for name in ("echo", "arp"):
        yield f"{name}_answered", bytes([7]) + dict(frames())[name]
    yield "mac", bytes([1]) + dict(frames())["udp"]
    yield "swapped", bytes([2]) + dict(frames())["udp"]

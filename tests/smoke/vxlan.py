# SPDX-License-Identifier: BSD-3-Clause
"""Frames of a network below, written by hand as RFC 7348 draws them, sound or bent.

As a program, inside a namespace:

  capture INTERFACE MARK COUNT   print COUNT received frames that have these bytes, all in hex
"""

import ipaddress
import socket
import struct
import sys


def internet_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def inner(mark, source="020000000100", tag="", to="ff" * 6):
    """A frame of a tenant, with a mark to find it by."""
    return bytes.fromhex(to + source + tag + "88b5" + mark) + bytes(46)


def outer(source, destination, vni, frame, to, **bent):
    """Ethernet, IPv4, UDP and VXLAN before a frame. `to`: MAC, hex. What may be bent: flags, checksum
    (UDP's), fragment (the IPv4 header's word), udp_length, mac (the sender's)."""
    vxlan = struct.pack("!BxxxI", bent.get("flags", 8), vni << 8) + frame
    length = len(vxlan) + 8
    udp = struct.pack("!HHHH", 50000, 4789, bent.get("udp_length", length),
                      bent.get("checksum", 0)) + vxlan
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, bent.get("fragment", 0x4000), 64,
                         17, 0, ipaddress.ip_address(source).packed,
                         ipaddress.ip_address(destination).packed)
    header = header[:10] + struct.pack("!H", internet_sum(header)) + header[12:]
    return bytes.fromhex(to + bent.get("mac", "0200000000ee") + "0800") + header + udp


def capture(interface, mark, count):
    """Print so many frames that have the mark, as hex."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    opened.bind((interface, 3))
    print("listening", flush=True)
    left = int(count)
    while left > 0:
        frame, address = opened.recvfrom(65536)
        if bytes.fromhex(mark) in frame and address[2] != socket.PACKET_OUTGOING:
            print(frame.hex(), flush=True)
            left -= 1


if __name__ == "__main__":  # inside a namespace
    capture(*sys.argv[2:])

# SPDX-License-Identifier: BSD-3-Clause
"""Frames to and from capture files, as much of the format as tests need.

Source: pcap-savefile(5): a 24-byte header, then a 16-byte header before each frame.
"""

import random
import struct

MAGIC = 0xA1B2C3D4
ETHERNET = 1


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def make_frames(source, destination, size, count, seed=1):
    """`count` frames of `size` bytes, all different, with random payload; type: experimental."""
    generator = random.Random(seed)
    head = mac_bytes(destination) + mac_bytes(source) + b"\x88\xb5"
    return [head + struct.pack("!I", number) + generator.randbytes(size - len(head) - 4)
            for number in range(count)]


def write(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, 65535, ETHERNET))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def read(path):
    """The frames of a file; a frame that is not yet wholly written is left out."""
    with open(path, "rb") as file:
        data = file.read()
    frames = []
    place = 24
    while place + 16 <= len(data):
        size, = struct.unpack_from("<I", data, place + 8)
        if place + 16 + size > len(data):
            break
        frames.append(data[place + 16:place + 16 + size])
        place += 16 + size
    return frames

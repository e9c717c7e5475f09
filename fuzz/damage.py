"""How whole input is damaged: strategies for bytes, for JSON and for tar headers."""

from __future__ import annotations

import copy
import json
import struct
from typing import Any

from hypothesis import strategies as st

NUMBERS = [
    0, -1, 1, 2, 0.5, 255, 256, 2**15, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, -(2**63), 10**30,
    1e7, 9e6, 1e30, 1e300, -1e30, float("nan"), float("inf"), float("-inf"), 10**400,
]  # fmt: skip
TEXTS = ["", "1", "a" * 300, "x\0y", "\ud800", "../..", "/dev/zero", "猫", "P" * 50, "0" * 50]
VALUES = st.one_of(
    st.sampled_from([None, True, False, [], {}, [[]], [[[]]], [None], {"id": 1}]),
    st.sampled_from(NUMBERS),
    st.sampled_from(TEXTS),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.sampled_from(NUMBERS) | st.integers(-5, 500), max_size=9),
    st.lists(st.lists(st.floats(-1e4, 1e4) | st.sampled_from(NUMBERS), max_size=9), max_size=3),
)
PLACE = st.floats(0, 1, exclude_max=True)
BYTES = st.one_of(
    st.sampled_from([b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0"]),
    st.binary(min_size=1, max_size=16),
)


class Whole(bytes):
    """Content that Hypothesis does not print: a megabyte of it, thousands of times, is too much."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes replaced, put in, taken out or doubled, or the end cut off."""
    damaged = bytearray(content)
    for _ in range(draw(st.integers(1, 6))):
        # Heads of files are where the numbers are.
        place = int(draw(PLACE) ** draw(st.sampled_from([1, 4])) * len(damaged))
        value = draw(BYTES)
        match draw(st.integers(0, 5)):
            case 0 | 1:
                damaged[place : place + len(value)] = value
            case 2:
                damaged[place:place] = value
            case 3:
                del damaged[place : place + int(draw(PLACE) * 64)]
            case 4:
                damaged[place:place] = damaged[place : place + int(draw(PLACE) * 600)]
            case 5:
                if draw(st.booleans()):
                    del damaged[place:]
    return Whole(damaged)


def places_of(content: Any) -> list[tuple[Any, Any]]:
    """Every container in JSON content with every key of it."""
    found: list[tuple[Any, Any]] = []
    waiting = [content]
    while waiting:
        here = waiting.pop()
        keys = here.keys() if isinstance(here, dict) else range(len(here))
        for key in keys:
            found.append((here, key))
            if isinstance(here[key], dict | list):
                waiting.append(here[key])
    return found


@st.composite
def damaged_json(draw: st.DrawFn, content: str) -> bytes:
    """Some values replaced, taken away, doubled or exchanged; now and then, some bytes."""
    damaged = json.loads(content)
    for _ in range(draw(st.integers(1, 5))):
        places = places_of(damaged)
        if not places:
            break
        # Not sampled_from: Hypothesis goes through the whole content for each list of choices.
        here, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.integers(0, 7)):
            case 0:
                del here[key]
            case 1 if isinstance(here, list):
                here.insert(key, json.loads(json.dumps(here[key])))
            case 2:
                there, other = places[draw(st.integers(0, len(places) - 1))]
                here[key] = json.loads(json.dumps(there[other]))
            case 3:
                here[key] = [here[key]]
            case _:
                # A copy: what is damaged next may lie in it.
                here[key] = copy.deepcopy(draw(VALUES))
    written = json.dumps(damaged)
    if draw(st.integers(0, 19)) == 0:
        written = "[" * draw(st.sampled_from([1, 3000, 200_000])) + written
    encoded = written.encode()
    return draw(damaged_bytes(encoded)) if draw(st.integers(0, 9)) == 0 else encoded


BLOCK = 512
# Offset and length of a tar header's fields.
FIELDS = {
    "name": (0, 100),
    "mode": (100, 8),
    "size": (124, 12),
    "type": (156, 1),
    "magic": (257, 8),
}
FIELDS |= {"linkname": (157, 100), "prefix": (345, 155)}
SIZES = [
    b"00000000000\0", b"77777777777\0", b"-0000000001\0", b"99999999999\0", b"00000000777\0",
    b"\x80" + b"\xff" * 11, b"\xff" * 12, b"\xff" * 10 + b"\xfe\x00", b"\x80" + bytes(10) + b"\x01",
    b"\x80" + bytes(6) + struct.pack(">I", 2**31)[:5].ljust(5, b"\0"), b"            ",
]  # fmt: skip


@st.composite
def damaged_tar(draw: st.DrawFn, content: bytes) -> bytes:
    """Some headers that lie, with the right check sum, or headers put in; or damaged bytes."""
    damaged = bytearray(content)
    if draw(st.integers(0, 4)) == 0:
        return draw(damaged_bytes(content))
    starts = [
        at for at in range(0, len(content), BLOCK) if content[at + 257 : at + 262] == b"ustar"
    ]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(starts))
        name = draw(st.sampled_from(["size", "size", "type", *FIELDS]))
        offset, length = FIELDS[name]
        if name == "size":
            value = draw(st.sampled_from(SIZES) | st.binary(min_size=12, max_size=12))
        elif name == "type":
            value = draw(st.sampled_from([bytes([c]) for c in b"0123456LKSVDMxgN\0"]))
        else:
            value = draw(st.binary(max_size=length)).ljust(length, b"\0")
        damaged[at + offset : at + offset + length] = value
        seal(damaged, at)
    if draw(st.booleans()):
        at = draw(st.sampled_from(starts))
        damaged[at:at] = pax_header(draw(PAX))
    return bytes(damaged)


PAX = st.dictionaries(
    st.sampled_from(
        ["size", "path", "mtime", "hdrcharset"]
        + [f"GNU.sparse.{key}" for key in ("major", "minor", "map", "size", "realsize", "name")]
    ),
    st.sampled_from(["0", "1", "-1", "-512", "1e9", str(2**62), "a", "0,1,2", "BINARY", ""]),
    max_size=4,
)


def pax_header(values: dict[str, str]) -> bytes:
    """A member that says something of the next one."""
    text = b""
    for key, value in values.items():
        rest = f" {key}={value}\n".encode()
        length = len(rest) + len(str(len(rest) + 3))
        text += str(length).encode() + rest
    header = bytearray(BLOCK)
    header[:4] = b"pax\0"
    header[124:136] = f"{len(text):011o}\0".encode()
    header[156:157] = b"x"
    header[257:265] = b"ustar\x0000"
    seal(header, 0)
    return bytes(header) + text.ljust(-(-len(text) // BLOCK) * BLOCK, b"\0")


def seal(tar: bytearray, at: int) -> None:
    """Set the check sum of the header at a place."""
    tar[at + 148 : at + 156] = b" " * 8
    total = sum(tar[at : at + BLOCK])
    tar[at + 148 : at + 156] = f"{total:06o}\0 ".encode()

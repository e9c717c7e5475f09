"""Names and numbers that no two photographs share."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

# Signed 64-bit numbers, which JSON of shards has; and the whole numbers that doubles hold exactly,
# which numbers made from text stay below.
MAX_NUMBER, TEXT_BITS = 2**63, 53


def safe_key(name: str) -> str:
    """The stem of a file's name, with ``_`` for all but letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", PurePath(name).stem)


def as_number(value: object) -> int:
    """The number that an id stands for: the same for ``1``, ``1.0`` and ``"1"``.

    Other text, such as a UUID, gets a number of its own: 53 bits of its SHA-256.

    Raises:
        ValueError: it is neither text nor a whole number.
    """
    if isinstance(value, str):
        text = value.strip()
        # More digits than 64 bits have are text; Python refuses thousands.
        if re.fullmatch(r"-?[0-9]{1,19}", text) and -MAX_NUMBER <= int(text) < MAX_NUMBER:
            return int(text)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:7], "big") >> (7 * 8 - TEXT_BITS)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(f"the id {value!r:.40} is neither text nor a whole number")
    if not -MAX_NUMBER <= value < MAX_NUMBER:
        raise ValueError(f"the id {value!r:.40} is too large")
    return int(value)


def as_text(value: object) -> str:
    """Text that UTF-8 can hold: JSON and file names can have halves of characters."""
    return str(value).encode("utf-8", "replace").decode()


class UniqueKeys:
    """Gives each photograph a key of its own: later ones of the same name get ``_2``, ``_3``."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, name: str) -> str:
        """The key for a file's name."""
        key = stem = safe_key(name)
        number = 1
        while key in self._given:
            number += 1
            key = f"{stem}_{number}"
        self._given.add(key)
        return key


class UniqueIds:
    """Gives each thing a number of its own: the one it has, or a new one where that is taken."""

    def __init__(self) -> None:
        self._given: set[int] = set()
        self._highest = 0

    def give(self, wanted: int | None) -> int:
        """A number; None is wanted by what has none yet."""
        number = self._highest + 1 if wanted is None or wanted in self._given else wanted
        self._given.add(number)
        self._highest = max(self._highest, number)
        return number

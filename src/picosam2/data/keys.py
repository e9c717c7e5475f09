"""Names and numbers that no two photographs share."""

from __future__ import annotations

import re
from pathlib import PurePath


def safe_key(name: str) -> str:
    """The stem of a file's name, with ``_`` for all but letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", PurePath(name).stem)


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

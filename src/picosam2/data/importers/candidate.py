"""A photograph that an importer has found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from picosam2.data.picture import Picture
from picosam2.data.schema import Record


class Found(NamedTuple):
    """What an importer read of one photograph.

    Args:
        record: its facts and objects.
        picture: the bytes of its file, or its pixels.
        soft: the tiles of a teacher's logits, where there are any.
        upright: whether EXIF has to turn the picture; where it has pixels, it is turned already.
    """

    record: Record
    picture: Picture
    soft: bytes | None = None
    upright: bool = False


@dataclass(frozen=True)
class Candidate:
    """A photograph that is listed and not read yet.

    Args:
        name: of its file in the source; its stem becomes the key in the shard.
        read: reads it; None where it is noted already why it cannot be taken. Whatever it raises
            is the reason to leave the photograph out.
        image_id: of the photograph in the source, as far as it is known.
    """

    name: str
    read: Callable[[], Found | None]
    image_id: int | None = None

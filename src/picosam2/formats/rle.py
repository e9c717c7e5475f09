"""``rle``: one JSON of COCO's compressed run-length encoding, with bbox, area and score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from picosam2.data.rle import rle_area, rle_bbox, rle_json
from picosam2.formats.base import Format, Found, Photograph, Target
from picosam2.output import write_json


def rle_record(found: Found, name: str) -> dict[str, Any]:
    """An object as COCO's results have it.

    Args:
        found: the object.
        name: of its photograph.
    """
    record = {
        "segmentation": rle_json(found.rle),
        "bbox": list(rle_bbox(found.rle)),
        "area": rle_area(found.rle),
        "score": found.score,
        "image": name,
    }
    ids = {"image_id": found.image_id, "category_id": found.category_id}
    return record | {k: v for k, v in ids.items() if v is not None}


class RleFormat(Format):
    """A record an object, as COCO's results have it; one record alone where only one was asked for.

    ``segmentation``, ``bbox`` (x, y, width, height), ``area`` (pixels), ``score`` and ``image``,
    and ``image_id`` and ``category_id`` where a file of boxes has them.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._records: list[dict[str, Any]] = []

    def add(self, photo: Photograph, objects: Iterable[Found]) -> Iterator[tuple[str, Path]]:
        """Keep the records."""
        for found in objects:
            self._records.append(rle_record(found, photo.name))
        yield from ()

    def finish(self) -> Iterator[tuple[str, Path]]:
        """Write them."""
        write_json(self.target.file, self._records[0] if self.target.lone else self._records)
        if self.target.file != "-":
            yield "rle", Path(self.target.file)

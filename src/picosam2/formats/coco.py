"""``coco``: one annotation file for all photographs, as COCO's instances have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from picosam2.data.rle import rle_area, rle_bbox, rle_json
from picosam2.formats.base import Format, Found, Photograph, Target
from picosam2.formats.polygons import mask_polygons, outer_ring
from picosam2.output import write_json

# Of objects whose kind nobody told.
OBJECT = 1


class CocoFormat(Format):
    """``images``, ``annotations`` and ``categories``, numbered from 1.

    A mask without holes is a list of polygons, a part each; one with holes is RLE, which COCO's
    readers take beside polygons: in them a hole cannot be said.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, photo: Photograph, objects: Iterable[Found]) -> Iterator[tuple[str, Path]]:
        """Keep the annotations."""
        height, width = photo.size
        image = {"id": len(self._images) + 1, "file_name": photo.name}
        self._images.append(image | {"width": width, "height": height})
        for found in objects:
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": image["id"],
                    "category_id": self.target.category(found, OBJECT),
                    "segmentation": self._segmentation(found),
                    "bbox": list(rle_bbox(found.rle)),
                    "area": rle_area(found.rle),
                    "iscrowd": 0,
                    "score": found.score,
                }
            )
        yield from ()

    def finish(self) -> Iterator[tuple[str, Path]]:
        """Write the file."""
        ids = sorted({annotation["category_id"] for annotation in self._annotations} or {OBJECT})
        named = self.target.categories
        content = {
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": i, "name": str(i) if i in named else "object"} for i in ids],
        }
        write_json(self.target.file, content)
        if self.target.file != "-":
            yield "coco", Path(self.target.file)

    def _segmentation(self, found: Found) -> list[list[float]] | dict[str, Any]:
        polygons = mask_polygons(found.mask, self.target.tolerance)
        if not polygons or any(polygon.interiors for polygon in polygons):
            return rle_json(found.rle)
        return [outer_ring(polygon).ravel().tolist() for polygon in polygons]

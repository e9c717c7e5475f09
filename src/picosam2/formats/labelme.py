"""``labelme``: a JSON a photograph, as the annotation tool Labelme reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from picosam2.formats.base import Format, Found, Photograph
from picosam2.formats.polygons import mask_polygons, one_ring
from picosam2.output import write_json

# Labelme warns of files of another major version.
VERSION = "5.5.0"


class LabelmeFormat(Format):
    """A polygon a part; an object's parts share their ``group_id``.

    Labelme's polygons have no holes: these are joined to the outline by bridges of no width. The
    label is the category of the file of boxes, else ``object``.
    """

    suffix = ".json"

    def add(self, photo: Photograph, objects: Iterable[Found]) -> Iterator[tuple[str, Path]]:
        """Write the photograph's file."""
        path = self.path(photo.name)
        height, width = photo.size
        shapes: list[dict[str, Any]] = []
        for number, found in enumerate(objects, start=1):
            for polygon in mask_polygons(found.mask, self.target.tolerance):
                shapes.append(
                    {
                        "label": "object" if found.category_id is None else str(found.category_id),
                        "points": one_ring([polygon]).tolist(),
                        "group_id": number,
                        "description": f"predicted IoU {found.score:.2f}",
                        "shape_type": "polygon",
                        "flags": {},
                        "mask": None,
                    }
                )
        content: dict[str, Any] = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            # Labelme finds the photograph from where its own file is.
            "imagePath": Path(os.path.relpath(photo.path, path.parent)).as_posix(),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        write_json(path, content)
        yield "labelme", path

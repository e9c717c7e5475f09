"""``png``: masks as pictures, and one to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.formats.base import Format, Found, Photograph
from picosam2.output import save_png
from picosam2.overlay import draw_overlay


class PngFormat(Format):
    """``PHOTO.mask.png`` (0 and 255) an object, and ``PHOTO.overlay.png`` with all of them."""

    def add(self, photo: Photograph, objects: Iterable[Found]) -> Iterator[tuple[str, Path]]:
        """Write the pictures, one after the other: each needs memory."""
        union: NDArray[np.bool_] | None = None
        for number, found in enumerate(objects, start=1):
            mask = np.ascontiguousarray(found.mask)
            path = self.target.picture(photo.name, "mask", number)
            save_png(Image.fromarray(mask.view(np.uint8) * np.uint8(255)), path)
            yield "mask", path
            union = mask if union is None else np.logical_or(union, mask, out=union)
        if union is None:
            union = np.zeros(photo.size, bool)
        path = self.target.picture(photo.name, "overlay", None)
        save_png(
            draw_overlay(photo.pixels, union, photo.points, photo.boxes, labels=photo.labels), path
        )
        yield "overlay", path

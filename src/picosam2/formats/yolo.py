"""``yolo-seg``: a text file a photograph, a polygon a line, as Ultralytics' YOLO reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from picosam2.errors import InputError
from picosam2.formats.base import Format, Found, Photograph
from picosam2.formats.polygons import mask_polygons, one_ring
from picosam2.output import write_text


class YoloFormat(Format):
    """``class x y x y ...`` an object, x and y as shares of the photograph's width and height.

    A line is an object and has one ring: holes and further parts are joined to it by bridges of no
    width. The class is the category of the file of boxes, else 0, or where that is one of them, the
    next after all of them. Empty masks have no line.
    """

    suffix = ".txt"

    def check(self, names: Sequence[str]) -> None:
        """See ``Format``; categories below 0, which are no classes here, are refused too."""
        super().check(names)
        lowest = min(self.target.categories, default=0)
        if lowest < 0:
            raise InputError(
                f"the boxes have the category {lowest}, yolo-seg's classes begin at 0: number them "
                "so, or give another --format"
            )

    def add(self, photo: Photograph, objects: Iterable[Found]) -> Iterator[tuple[str, Path]]:
        """Write the photograph's file."""
        height, width = photo.size
        lines = []
        for found in objects:
            polygons = mask_polygons(found.mask, self.target.tolerance)
            if polygons:
                shares = one_ring(polygons) / (width, height)
                numbers = " ".join(f"{value:.6g}" for value in shares.ravel())
                lines.append(f"{self.target.category(found, 0)} {numbers}\n")
        path = self.path(photo.name)
        write_text(path, "".join(lines))
        yield "yolo-seg", path

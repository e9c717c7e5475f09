"""Annotations of objects that are known by their mask alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.header import read_header
from picosam2.data.problems import BrokenError, Kind
from picosam2.data.rle import encode_mask, rle_area, rle_bbox
from picosam2.data.schema import Annotation, Rle
from picosam2.images import open_image

# Ids of annotations are the image's id and the number of the object in it.
OBJECTS_AN_IMAGE = 100_000


def mask_annotation(
    image_id: int,
    number: int,
    mask: NDArray[np.bool_],
    category_id: int | None = None,
    category: str | None = None,
) -> Annotation:
    """An object that a person drew.

    Args:
        image_id: of the photograph.
        number: of the object in the photograph.
        mask: H×W, with at least one pixel.
        category_id: number of its class.
        category: name of its class.
    """
    return rle_annotation(image_id, number, encode_mask(mask), category_id, category)


def rle_annotation(
    image_id: int,
    number: int,
    rle: Rle,
    category_id: int | None = None,
    category: str | None = None,
) -> Annotation:
    """As :func:`mask_annotation`, of a mask that is runs already."""
    return Annotation(
        id=image_id * OBJECTS_AN_IMAGE + number,
        bbox=rle_bbox(rle),
        segmentation=rle,
        area=float(rle_area(rle)),
        source="human",
        category_id=category_id,
        category=category,
    )


def mask_size(path: Path) -> tuple[int, int]:
    """Width and height of a mask's picture, without its pixels.

    Raises:
        BrokenError: it is missing or damaged.
    """
    try:
        return read_header(path, f"{path.parent.name}/{path.name}").size
    except BrokenError as error:
        raise BrokenError(Kind.MASK, error) from None


@contextlib.contextmanager
def read_mask_picture(path: Path, size: tuple[int, int]) -> Iterator[Image.Image]:
    """A mask's picture, opened; no pixel is decoded where it is not of the photograph's size.

    Args:
        path: of the picture.
        size: width and height of its photograph.

    Raises:
        BrokenError: it is missing, of another size, or damaged.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        with open_image(path, name) as image:
            if image.size != size:
                found, wanted = ("×".join(map(str, pair)) for pair in (image.size, size))
                raise BrokenError(Kind.MASK, f"is {wanted}, its mask {name} is {found}")
            yield image
    except BrokenError:
        raise
    except FileNotFoundError:
        raise BrokenError(Kind.MASK, f"has no {name}") from None
    # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise BrokenError(Kind.MASK, f"its mask {name} cannot be read: {error}") from None

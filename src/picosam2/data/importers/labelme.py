"""Labelme, and X-AnyLabeling, which saves the same: a JSON beside each photograph."""

from __future__ import annotations

import base64
import binascii
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from picosam2.data.coco import whole_pixels
from picosam2.data.header import Exif, annotated_upright, read_header
from picosam2.data.importers.candidate import Candidate, Found
from picosam2.data.importers.masks import mask_of_picture
from picosam2.data.importers.objects import rle_annotation
from picosam2.data.importers.photos import visible_files
from picosam2.data.keys import as_text
from picosam2.data.places import is_file
from picosam2.data.problems import BrokenError, Kind, Problems
from picosam2.data.rle import decode_rle, encode_mask, rle_area
from picosam2.data.schema import ImageInfo, Record, Rle
from picosam2.data.segmentation import MAX_COORDINATE, parse_segmentation
from picosam2.errors import InputError
from picosam2.images import open_image

# Corners of the polygon that a circle becomes.
CIRCLE = 128
KINDS = ("polygon", "rectangle", "oriented_rectangle", "rotation", "circle", "mask")


class _Shape(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = "polygon"
    group_id: int | str | None = None
    mask: str | None = None


class _File(msgspec.Struct):
    shapes: list[dict[str, Any]]
    imagePath: str  # noqa: N815 (Labelme's names)
    imageData: str | None = None  # noqa: N815
    imageHeight: Any = None  # noqa: N815
    imageWidth: Any = None  # noqa: N815


def find_labelme(
    source: str, split: str | None, problems: Problems, exif: Exif = "auto"
) -> list[Candidate]:
    """Every JSON file below a folder, sorted; hidden ones are passed over.

    Raises:
        InputError: it is not a folder.
    """
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: give one with a JSON of Labelme a photograph")
    return [
        Candidate(
            path.relative_to(folder).as_posix(),
            partial(_read, path, folder, number, split, exif, problems),
            number,
        )
        for number, path in enumerate(visible_files(folder, "*.json"), start=1)
    ]


def _read(
    path: Path, folder: Path, image_id: int, split: str | None, exif: Exif, problems: Problems
) -> Found:
    try:
        # Python's own parser takes NaN, which is then the fault of its shape alone.
        file = msgspec.convert(json.loads(path.read_bytes()), _File)
    except (ValueError, RecursionError) as error:
        raise BrokenError(Kind.IMAGE, f"{path.name} is not Labelme's: {error}") from None
    name, picture = _picture(path, file)
    header = read_header(picture, name)
    size = header.size if exif == "ignore" else header.upright_size
    if file.imageWidth is not None and file.imageHeight is not None:
        width = whole_pixels("imageWidth", file.imageWidth)
        size = width, whole_pixels("imageHeight", file.imageHeight)
    upright = annotated_upright(header, *size, name, exif, problems)
    shown = path.relative_to(folder).as_posix()
    # As runs: hundreds of masks of a large photograph would fill the memory.
    masks: dict[tuple[str, str], Rle] = {}
    for number, given in enumerate(file.shapes):
        try:
            shape = _shape(given)
            # What shares a label and a group is one object.
            group = f"shape {number}" if shape.group_id is None else f"group {shape.group_id}"
            mask = _mask(shape, size)
        except BrokenError as error:
            problems.add(error.kind, folder, shown, error, image=image_id, annotation=number)
            continue
        label = as_text(shape.label)
        if (label, group) in masks:
            mask |= decode_rle(masks[label, group])
        masks[label, group] = encode_mask(mask)
    for key in [key for key, mask in masks.items() if not rle_area(mask)]:
        del masks[key]
        reason = f"{key[0]}, {key[1]}: it has no pixel in the photograph"
        problems.add(Kind.SEGMENTATION, folder, shown, reason, image=image_id)
    if file.shapes and not masks:
        # Without any object it would be a photograph without objects, which it is not.
        raise BrokenError(Kind.ANNOTATION, "none of its shapes can be taken")
    annotations = [
        rle_annotation(image_id, number, mask, category=label)
        for number, ((label, _), mask) in enumerate(masks.items(), start=1)
    ]
    info = ImageInfo(image_id, *size, name, split=split)
    content = picture.read_bytes() if isinstance(picture, Path) else picture
    return Found(Record(info, annotations), content, upright=upright)


def _picture(path: Path, file: _File) -> tuple[str, Path | bytes]:
    """The photograph's name, and its file, or its content where the JSON alone has it."""
    photograph = path.parent / file.imagePath
    if not is_file(photograph):
        # Labelme on Windows writes backslashes; elsewhere a name may have them.
        photograph = path.parent / file.imagePath.replace("\\", "/")
    if is_file(photograph) or not file.imageData:
        return photograph.name, photograph
    try:
        return photograph.name, base64.b64decode(file.imageData, validate=True)
    except (binascii.Error, ValueError):
        raise BrokenError(Kind.DAMAGED, "its imageData is no base64") from None


def _shape(given: Any) -> _Shape:
    """A shape as the file has it.

    Raises:
        BrokenError: it is none; half of a UTF-16 pair, which JSON may hold, is no text either.
    """
    try:
        return msgspec.convert(given, _Shape, strict=False)
    except ValueError as error:
        raise BrokenError(Kind.ANNOTATION, error) from None


def _mask(shape: _Shape, size: tuple[int, int]) -> NDArray[np.bool_]:
    """H×W bool of a photograph of a width and height.

    Raises:
        BrokenError: it has no area, or is broken.
    """
    width, height = size
    kind = shape.shape_type or "polygon"
    if kind not in KINDS:
        raise BrokenError(Kind.SEGMENTATION, f"a {kind:.20} has no area")
    points = np.array(shape.points, np.float64).reshape(-1, 2)
    if not (np.abs(points) < MAX_COORDINATE).all():
        raise BrokenError(Kind.SEGMENTATION, "it has coordinates that are no place")
    if kind == "mask":
        return _pasted(shape, points, size)
    if kind in ("circle", "rectangle") and len(points) < 2:
        raise BrokenError(Kind.SEGMENTATION, f"a {kind} of {len(points)} points")
    if kind == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if kind == "circle":
        # A centre, and a place on its edge.
        angles = np.linspace(0, 2 * np.pi, CIRCLE, endpoint=False)
        radius = np.hypot(*(points[1] - points[0]))
        points = points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return decode_rle(parse_segmentation([points.ravel().tolist()], height, width))


def _pasted(shape: _Shape, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask that lies as a picture in base64 between two corners."""
    if shape.mask is None or len(points) < 1:
        raise BrokenError(Kind.MASK, "a mask without a picture or a place")
    width, height = size
    try:
        content = base64.b64decode(shape.mask, validate=True)
        with open_image(io.BytesIO(content), "its mask", ("PNG",)) as image:
            if image.width > width or image.height > height:
                raise BrokenError(Kind.MASK, "its mask is larger than the photograph")
            part = mask_of_picture(image, "")
    except BrokenError:
        raise
    # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise BrokenError(Kind.MASK, f"its mask cannot be read: {error}") from None
    left, top = (int(value) for value in points.min(axis=0).round())
    mask = np.zeros((height, width), bool)
    x0, y0 = max(0, left), max(0, top)
    shown = part[y0 - top :, x0 - left :][: max(0, height - y0), : max(0, width - x0)]
    mask[y0 : y0 + shown.shape[0], x0 : x0 + shown.shape[1]] = shown
    return mask

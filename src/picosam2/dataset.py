"""Photographs and their objects from a folder in COCO format: what all training and tests read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from picosam2.errors import InputError

TEACHER_FILE = "teacher-boxes.jsonl"
MIN_TEACHER_IOU = 0.75
MIN_TEACHER_STABILITY = 0.75


@dataclass(frozen=True)
class ObjectAnnotation:
    """One object of a photograph.

    Args:
        annotation_id: the id in the annotation file.
        bbox: x, y, width, height in pixels, as the file has it.
        segmentation: COCO polygons, or (compressed) RLE.
        iscrowd: whether the mask covers a crowd instead of one object.
        source: ``"human"`` or ``"teacher"``.
    """

    annotation_id: int
    bbox: tuple[float, float, float, float]
    segmentation: list[list[float]] | dict[str, Any]
    iscrowd: bool = False
    source: str = "human"


@dataclass(frozen=True)
class Photograph:
    """One photograph with its annotated objects.

    Args:
        native_scale: stored size / original size; 1 where the photograph was not reduced.
    """

    image_id: int
    path: Path
    width: int
    height: int
    native_scale: float
    objects: tuple[ObjectAnnotation, ...]

    def load(self) -> NDArray[np.uint8]:
        """The pixels, H×W×3 uint8 RGB.

        EXIF rotation is not applied: COCO's masks are drawn on the stored pixels.

        Raises:
            InputError: the file is missing or broken, or its size is not the annotated one.
        """
        try:
            with Image.open(self.path) as image:
                pixels = np.asarray(image.convert("RGB"))
        # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
        except Exception as error:
            raise InputError(f"cannot read the photograph {self.path}: {error}") from None
        if pixels.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{self.path} is {pixels.shape[1]}×{pixels.shape[0]} but its annotation says "
                f"{self.width}×{self.height}: repair the annotation file"
            )
        return pixels

    def mask(self, annotation: ObjectAnnotation) -> NDArray[np.bool_]:
        """An object's mask, H×W bool (polygons are rasterised as pycocotools does it).

        Raises:
            InputError: the segmentation is broken.
        """
        try:
            rle = encode(annotation.segmentation, self.height, self.width)
            mask: NDArray[np.bool_] = coco_mask.decode(rle).astype(bool)
        # pycocotools raises anything, Exception itself included, for a broken segmentation.
        except Exception as error:
            raise InputError(
                f"annotation {annotation.annotation_id} of {self.path}: broken mask ({error})"
            ) from None
        return mask


def encode(
    segmentation: list[list[float]] | dict[str, Any], height: int, width: int
) -> dict[str, Any]:
    """Any COCO segmentation as one compressed RLE of height×width pixels."""
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise InputError(f"an RLE of size {segmentation['size']} in an image {height}×{width}")
        counts = segmentation["counts"]
        if _run_total(counts) != height * width:
            raise InputError("the RLE's runs do not add up to the image")
        if not isinstance(counts, list):
            return segmentation
        rle: dict[str, Any] = coco_mask.frPyObjects(segmentation, height, width)
        return rle
    merged: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    return merged


def _run_total(counts: list[int] | str | bytes) -> int:
    """Pixels that an RLE's runs cover; pycocotools decodes too short ones to stray memory.

    COCO's compressed runs are 5-bit groups, low first, from the third on as differences to the
    run two before (``rleFrString`` of pycocotools).
    """
    if isinstance(counts, list):
        return sum(counts)
    text = counts.encode() if isinstance(counts, str) else counts
    groups = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(groups & 32 == 0)
    if not len(ends) or ends[-1] != len(groups) - 1:
        return 0
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    place = np.arange(len(groups)) - np.repeat(starts, lengths)
    runs = np.add.reduceat((groups & 31) << (5 * place), starts)
    runs -= (groups[ends] & 16 > 0).astype(np.int64) << (5 * lengths)
    return int(runs[0] + runs[1::2].cumsum().sum() + runs[2::2].cumsum().sum())


class CocoFolder:
    """A folder with ``images/`` and ``instances.json`` in COCO format.

    Where the folder has a ``teacher-boxes.jsonl`` (masks that a teacher made from the boxes), the
    objects are that file's, those of low predicted IoU or stability left out.

    Args:
        path: the folder.

    Raises:
        InputError: the folder or its annotation file is missing or not COCO's format.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        annotation_file = self.path / "instances.json"
        if not annotation_file.is_file():
            raise InputError(f"no {annotation_file}: give a folder with images/ and instances.json")
        content = annotation_file.read_bytes()
        digest = hashlib.sha256(content)
        objects: dict[int, list[ObjectAnnotation]] = {}
        try:
            coco = json.loads(content)
            teacher_file = self.path / TEACHER_FILE
            if teacher_file.is_file():
                lines = teacher_file.read_bytes()
                digest.update(lines)
                objects = _teacher_objects(lines.decode())
            else:
                for record in coco["annotations"]:
                    if record.get("segmentation"):
                        objects.setdefault(record["image_id"], []).append(_human_object(record))
            self.photographs = [
                _photograph(record, self.path, tuple(objects.get(record["id"], ())))
                for record in coco["images"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self.path} is not in COCO format: {error!r}") from None
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)


def _human_object(record: dict[str, Any]) -> ObjectAnnotation:
    return ObjectAnnotation(
        record["id"],
        _box(record["bbox"]),
        record["segmentation"],
        bool(record.get("iscrowd", 0)),
    )


def _teacher_objects(lines: str) -> dict[int, list[ObjectAnnotation]]:
    objects = {}
    for line in lines.splitlines():
        photograph = json.loads(line)
        objects[photograph["image_id"]] = [
            ObjectAnnotation(
                a["box_id"], _box(a["prompt_box"]), a["segmentation"], source="teacher"
            )
            for a in photograph["annotations"]
            if a["predicted_iou"] >= MIN_TEACHER_IOU
            and a["stability_score"] >= MIN_TEACHER_STABILITY
        ]
    return objects


def _photograph(
    record: dict[str, Any], folder: Path, objects: tuple[ObjectAnnotation, ...]
) -> Photograph:
    width, height = record["width"], record["height"]
    original_width = (record.get("original_size") or [width])[0]
    if not all(isinstance(n, int) and 0 < n < 10**6 for n in (width, height, original_width)):
        raise ValueError(f"image {record['id']} has a size of {width}×{height} pixels")
    path = folder / "images" / record["file_name"]
    return Photograph(record["id"], path, width, height, width / original_width, objects)


def _box(values: list[float]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in values)
    if not all(math.isfinite(value) for value in (x, y, width, height)):
        raise ValueError(f"a box of {values}")
    return x, y, width, height

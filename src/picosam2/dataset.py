"""Photographs and their objects from a folder in COCO format: what all training and tests read."""

from __future__ import annotations

import hashlib
import json
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
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"cannot read the photograph {self.path}: {error}") from None
        if pixels.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{self.path} is {pixels.shape[1]}×{pixels.shape[0]} but its annotation says "
                f"{self.width}×{self.height}: repair the annotation file"
            )
        return pixels

    def mask(self, annotation: ObjectAnnotation) -> NDArray[np.bool_]:
        """An object's mask, H×W bool (polygons are rasterised as pycocotools does it)."""
        rle = encode(annotation.segmentation, self.height, self.width)
        mask: NDArray[np.bool_] = coco_mask.decode(rle).astype(bool)
        return mask


def encode(
    segmentation: list[list[float]] | dict[str, Any], height: int, width: int
) -> dict[str, Any]:
    """Any COCO segmentation as one compressed RLE of height×width pixels."""
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != [height, width]:
            raise InputError(f"an RLE of size {segmentation['size']} in an image {height}×{width}")
        if not isinstance(segmentation["counts"], list):
            return segmentation
        rle: dict[str, Any] = coco_mask.frPyObjects(segmentation, height, width)
        return rle
    merged: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    return merged


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
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path} is not in COCO format: {error!r}") from None
        self.digest = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)


def _human_object(record: dict[str, Any]) -> ObjectAnnotation:
    return ObjectAnnotation(
        record["id"],
        tuple(record["bbox"]),
        record["segmentation"],
        bool(record.get("iscrowd", 0)),
    )


def _teacher_objects(lines: str) -> dict[int, list[ObjectAnnotation]]:
    objects = {}
    for line in lines.splitlines():
        photograph = json.loads(line)
        objects[photograph["image_id"]] = [
            ObjectAnnotation(
                a["box_id"], tuple(a["prompt_box"]), a["segmentation"], source="teacher"
            )
            for a in photograph["annotations"]
            if a["predicted_iou"] >= MIN_TEACHER_IOU
            and a["stability_score"] >= MIN_TEACHER_STABILITY
        ]
    return objects


def _photograph(
    record: dict[str, Any], folder: Path, objects: tuple[ObjectAnnotation, ...]
) -> Photograph:
    original = record.get("original_size")
    scale = record["width"] / original[0] if original else 1.0
    path = folder / "images" / record["file_name"]
    return Photograph(record["id"], path, record["width"], record["height"], scale, objects)

"""A folder in COCO format: ``images/`` and ``instances.json``."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picosam2.data.photograph import Photograph
from picosam2.data.records import check_record
from picosam2.data.rle import parse_segmentation, rle_area
from picosam2.data.schema import Annotation, ImageInfo, Record
from picosam2.errors import InputError

TEACHER_FILE = "teacher-boxes.jsonl"


@dataclass(frozen=True)
class FileBlob:
    """The bytes of a file."""

    path: Path

    def read(self) -> bytes:
        """All of them."""
        return self.path.read_bytes()

    def __str__(self) -> str:
        return str(self.path)


class CocoFolder:
    """A folder with ``images/`` and ``instances.json`` in COCO format.

    Where the folder has a ``teacher-boxes.jsonl`` (masks that a teacher made from the boxes), the
    objects are that file's.

    Args:
        path: the folder.
        part: which of its photographs.

    Raises:
        InputError: the folder or its annotation file is missing or not COCO's format.
    """

    def __init__(self, path: str | Path, part: slice = slice(None)) -> None:
        self.path = Path(path)
        annotation_file = self.path / "instances.json"
        if not annotation_file.is_file():
            raise InputError(f"no {annotation_file}: give a folder with images/ and instances.json")
        content = annotation_file.read_bytes()
        digest = hashlib.sha256(content)
        teacher_file = self.path / TEACHER_FILE
        with coco_format(self.path):
            coco = json.loads(content)
            if teacher_file.is_file():
                lines = teacher_file.read_bytes()
                digest.update(lines)
                coco["annotations"] = _teacher_annotations(lines.decode())
        self.photographs = [
            Photograph(record, FileBlob(self.path / "images" / record.image.file_name))
            for record in coco_records(coco, self.path)
        ][part]
        self.digest = digest.hexdigest()
        # Of the parts of a folder, the first speaks for its one file.
        self.digests = [] if part.start else [self.digest]

    @property
    def location(self) -> str:
        """The folder."""
        return str(self.path)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)


def coco_records(coco: dict[str, Any], name: Path) -> list[Record]:
    """The records of a COCO or LVIS annotation file, in its order of images.

    Args:
        coco: the parsed JSON; ``annotations`` may be missing (image lists of test sets).
        name: of the file, for messages.

    Raises:
        InputError: it is not in COCO's format, or an annotation is broken.
    """
    with coco_format(name):
        annotations = group_annotations(coco)
        categories = category_names(coco)
        return [
            image_record(image, annotations.get(image["id"], []), categories)
            for image in coco["images"]
        ]


@contextlib.contextmanager
def coco_format(name: Path) -> Iterator[None]:
    """Turn what broken annotations raise into one line about the file ``name``."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error if isinstance(error, ValueError) else repr(error)
        raise InputError(f"{name} is not in COCO format: {reason}") from None


def group_annotations(coco: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """The annotations of an annotation file by the id of their image."""
    annotations: dict[int, list[dict[str, Any]]] = {}
    for annotation in coco.get("annotations", ()):
        annotations.setdefault(annotation["image_id"], []).append(annotation)
    return annotations


def category_names(coco: dict[str, Any]) -> dict[int, str]:
    """The names of an annotation file's classes by their ids."""
    return {c["id"]: c["name"] for c in coco.get("categories", ())}


def image_record(
    image: dict[str, Any], annotations: list[dict[str, Any]], categories: dict[int, str]
) -> Record:
    """The record of one image of an annotation file.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: an annotation is broken.
    """
    original = image.get("original_size")
    file_name, split = image.get("file_name"), image.get("split")
    if not file_name:
        # LVIS has only the address, which ends in COCO's split and name.
        folder, name = image["coco_url"].split("/")[-2:]
        file_name, split = f"{folder}/{name}", split or folder
    info = ImageInfo(
        image["id"],
        image["width"],
        image["height"],
        file_name,
        tuple(original) if original else None,
        split,
    )
    record = Record(info, [_annotation(a, info, categories) for a in annotations])
    check_record(record)
    return record


def _annotation(
    annotation: dict[str, Any], image: ImageInfo, categories: dict[int, str]
) -> Annotation:
    segmentation = annotation.get("segmentation")
    try:
        rle = parse_segmentation(segmentation, image.height, image.width) if segmentation else None
    except ValueError as error:
        raise ValueError(f"annotation {annotation['id']}: {error}") from None
    x, y, width, height = (float(value) for value in annotation["bbox"])
    category = annotation.get("category_id")
    return Annotation(
        id=annotation["id"],
        bbox=(x, y, width, height),
        segmentation=rle,
        area=float(annotation["area"])
        if "area" in annotation
        else float(rle_area(rle) if rle else 0),
        iscrowd=int(annotation.get("iscrowd", 0)),
        # Other people's files name other things a source; what is not a teacher's is a person's.
        source="teacher" if annotation.get("source") == "teacher" else "human",
        category_id=category,
        category=categories.get(category) if category is not None else None,
        predicted_iou=annotation.get("predicted_iou"),
        stability_score=annotation.get("stability_score"),
    )


def _teacher_annotations(lines: str) -> list[dict[str, Any]]:
    return [
        {
            "id": a["box_id"],
            "image_id": photograph["image_id"],
            "bbox": a["prompt_box"],
            "segmentation": a["segmentation"],
            "source": "teacher",
            "predicted_iou": a["predicted_iou"],
            "stability_score": a["stability_score"],
        }
        for photograph in map(json.loads, lines.splitlines())
        for a in photograph["annotations"]
    ]

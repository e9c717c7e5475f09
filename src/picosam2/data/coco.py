"""A folder in COCO format: ``images/`` and ``instances.json``."""

from __future__ import annotations

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
        teacher_file = self.path / TEACHER_FILE
        try:
            coco = json.loads(content)
            if teacher_file.is_file():
                lines = teacher_file.read_bytes()
                digest.update(lines)
                coco["annotations"] = _teacher_annotations(lines.decode())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{self.path} is not in COCO format: {error!r}") from None
        self.photographs = [
            Photograph(record, FileBlob(self.path / "images" / record.image.file_name))
            for record in coco_records(coco, self.path)
        ]
        self.digest = digest.hexdigest()

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
    try:
        categories = {c["id"]: c["name"] for c in coco.get("categories", ())}
        annotations: dict[int, list[dict[str, Any]]] = {}
        for annotation in coco.get("annotations", ()):
            annotations.setdefault(annotation["image_id"], []).append(annotation)
        return [
            _record(image, annotations.get(image["id"], []), categories) for image in coco["images"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error if type(error) is ValueError else repr(error)
        raise InputError(f"{name} is not in COCO format: {reason}") from None


def _record(
    image: dict[str, Any], annotations: list[dict[str, Any]], categories: dict[int, str]
) -> Record:
    original = image.get("original_size")
    info = ImageInfo(
        image["id"],
        image["width"],
        image["height"],
        # LVIS has no file_name, only the address.
        image.get("file_name") or "/".join(image["coco_url"].split("/")[-2:]),
        tuple(original) if original else None,
        image.get("split"),
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
        source=annotation.get("source", "human"),
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

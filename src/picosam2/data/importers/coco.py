"""COCO: this project's folders, and the public layout."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from picosam2.data.coco import category_names, coco_format, group_annotations, image_record
from picosam2.data.importers.candidate import Candidate, Found
from picosam2.data.shards import Problems
from picosam2.errors import InputError


def find_coco(source: str, split: str | None, problems: Problems) -> list[Candidate]:
    """``images/`` + ``instances.json``, or ``annotations/instances_SPLIT.json`` + ``SPLIT/``.

    Raises:
        InputError: there is neither, or the annotations are not in COCO's format.
    """
    folder = Path(source)
    if is_plain_folder(folder):
        return list_images(folder / "instances.json", folder / "images", problems, split)
    annotations, split = find_annotations(folder, "instances_", split)
    return list_images(annotations, folder / split, problems, split)


def is_plain_folder(folder: Path) -> bool:
    """Whether it is this project's layout, which has no splits."""
    return (folder / "instances.json").is_file()


def find_annotations(folder: Path, prefix: str, split: str | None) -> tuple[Path, str]:
    """The annotation file of a split, and the split's name.

    Raises:
        InputError: there are no annotations, or not of this split.
    """
    found = {
        path.stem.removeprefix(prefix): path
        for place in (folder, folder / "annotations")
        for path in place.glob(f"{prefix}*.json")
    }
    if not found:
        raise InputError(
            f"no annotations in {folder}: expected instances.json or annotations/{prefix}SPLIT.json"
        )
    if split not in found:
        raise InputError(f"give --split, one of those in {folder}: {', '.join(sorted(found))}")
    return found[split], split


def list_images(
    annotation_file: Path, images: Path, problems: Problems, split: str | None
) -> list[Candidate]:
    """The images of an annotation file.

    Args:
        annotation_file: in COCO's or LVIS's format.
        images: the folder that the file names start from.
        problems: where to note annotations that belong to no image.
        split: of images that do not name their own.

    Raises:
        InputError: the file is not in COCO's format.
    """
    with coco_format(annotation_file):
        coco = json.loads(annotation_file.read_bytes())
        annotations, categories = group_annotations(coco), category_names(coco)
        found = []
        for image in coco["images"]:
            own = annotations.get(image["id"], [])
            read = partial(_read, {"split": split} | image, own, categories, images)
            found.append(Candidate(str(image.get("file_name") or image["coco_url"]), read))
        for image_id in annotations.keys() - {image["id"] for image in coco["images"]}:
            lost = f"{len(annotations[image_id])} annotations"
            problems.add(str(annotation_file), lost, f"there is no image {image_id}")
    return found


def _read(
    image: dict[str, Any],
    annotations: list[dict[str, Any]],
    categories: dict[int, str],
    images: Path,
) -> Found:
    record = image_record(image, annotations, categories)
    return Found(record, (images / record.image.file_name).read_bytes())

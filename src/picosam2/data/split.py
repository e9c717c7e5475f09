"""The published splits: which photographs of a public archive our figures are quoted on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from picosam2.data.coco import coco_format, group_annotations
from picosam2.errors import InputError
from picosam2.files import new_folder

FOLDER = Path(__file__).parent / "splits"
SPLITS = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def read_split(name: str) -> dict[str, Any]:
    """A published split: ``name``, ``of``, ``annotation_file`` and ``image_ids``.

    Raises:
        InputError: there is no such split.
    """
    if name not in SPLITS:
        raise InputError(f"unknown split {name}: choose from {', '.join(SPLITS)}")
    return dict(json.loads((FOLDER / f"{name}.json").read_bytes()))


def rebuild_split(name: str, annotations: Path, images: Path, out: Path) -> tuple[int, int]:
    """Write a published split as a folder in COCO format.

    Args:
        name: one of ``SPLITS``.
        annotations: the public annotation file that it was taken from.
        images: folder of the photographs, or of COCO's folders ``train2017`` and ``val2017``.
        out: the new folder.

    Returns:
        Photographs and annotations written.

    Raises:
        InputError: a photograph is missing, or ``out`` is there already.
    """
    split = read_split(name)
    try:
        content = annotations.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {annotations}: {error.strerror}") from None
    with coco_format(annotations):
        coco = json.loads(content)
        by_id = {image["id"]: image for image in coco["images"]}
        by_image = group_annotations(coco)
        missing = [i for i in split["image_ids"] if i not in by_id]
        if missing:
            raise InputError(
                f"{annotations} lacks {len(missing)} photographs of {name}: give "
                f"{split['annotation_file']} of {split['of']}"
            )
        chosen = [by_id[i] for i in split["image_ids"]]
        names = [Path(i.get("file_name") or i["coco_url"]) for i in chosen]
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        for path in names:
            found = next((p for p in _places(images, path) if p.is_file()), None)
            if found is None:
                raise InputError(f"{images} has no {path.name}")
            shutil.copyfile(found, folder / "images" / path.name)
        subset = {
            "info": {"description": f"{name}: {split['of']}"},
            "images": [
                image | {"file_name": path.name} for image, path in zip(chosen, names, strict=True)
            ],
            "annotations": [a for image in chosen for a in by_image.get(image["id"], [])],
            "categories": coco.get("categories", []),
        }
        (folder / "instances.json").write_text(json.dumps(subset))
    return len(chosen), len(subset["annotations"])


def _places(images: Path, name: Path) -> list[Path]:
    """Where a photograph may lie: LVIS names the folder of COCO's split before it."""
    return [images / name.name, images / name.parent.name / name.name]

"""The published splits: which photographs of a public archive our figures are quoted on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tqdm import tqdm

from picosam2.data.coco import names_of
from picosam2.data.coco_file import coco_format, parse_coco
from picosam2.data.places import find_photograph
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
        coco = parse_coco(content)
        by_id = {image["id"]: image for image in coco["images"]}
        by_image: dict[int, list[Any]] = {}
        for annotation in coco["annotations"]:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
        missing = [i for i in split["image_ids"] if i not in by_id]
        if missing:
            raise InputError(
                f"{annotations} lacks {len(missing)} photographs of {name}: give "
                f"{split['annotation_file']} of {split['of']}"
            )
        chosen = [by_id[i] for i in split["image_ids"]]
        places = [find_photograph(images, *names_of(image)) for image in chosen]
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        for place in tqdm(places, desc="copying", unit="photograph", delay=2):
            if not place.is_file():
                raise InputError(f"{images} has no {place.name}")
            shutil.copyfile(place, folder / "images" / place.name)
        subset = {
            "info": {"description": f"{name}: {split['of']}"},
            "images": [
                image | {"file_name": place.name}
                for image, place in zip(chosen, places, strict=True)
            ],
            "annotations": [a for image in chosen for a in by_image.get(image["id"], [])],
            "categories": coco["categories"],
        }
        (folder / "instances.json").write_text(json.dumps(subset))
    return len(chosen), len(subset["annotations"])

"""COCO's or LVIS's public annotation file with the photographs beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from picosam2.data.coco import FileBlob, coco_format, coco_records
from picosam2.data.photograph import Photograph
from picosam2.errors import InputError


class AnnotationFile:
    """The photographs of an annotation file, without unpacking what is not asked for.

    Args:
        path: ``instances_val2017.json``, ``lvis_v1_val.json`` or another in their format.
        images: folder of the photographs, or of COCO's folders ``train2017`` and ``val2017``.
        first: take only so many objects that are not crowds, in the order of the file.
        without: ids of photographs to leave out, after that choice.

    Attributes:
        images: the folder given.
        selection: what was chosen of the file, JSON-ready: ``first``, and how many objects and
            photographs of that choice are left out.

    Raises:
        InputError: the file is missing or not in COCO's format.
    """

    def __init__(
        self,
        path: Path,
        images: Path,
        first: int | None = None,
        without: Collection[int] = (),
    ) -> None:
        self.path, self.images = path, images
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        with coco_format(path):
            coco = json.loads(content)
            chosen = [a for a in coco["annotations"] if not a.get("iscrowd")][:first]
            lost = [a for a in chosen if a["image_id"] in without]
            self.selection = {
                "first": first,
                "left_out_objects": len(lost),
                "left_out_photographs": len({a["image_id"] for a in lost}),
            }
            coco["annotations"] = [a for a in chosen if a["image_id"] not in without]
            wanted = {a["image_id"] for a in coco["annotations"]}
            coco["images"] = [image for image in coco["images"] if image["id"] in wanted]
            places = [find_photograph(images, image) for image in coco["images"]]
        self.photographs = [
            Photograph(record, FileBlob(place))
            for record, place in zip(coco_records(coco, path), places, strict=True)
        ]
        self.digest = hashlib.sha256(content).hexdigest()
        self.digests = [self.digest]

    @property
    def location(self) -> str:
        """The annotation file."""
        return str(self.path)

    @property
    def name(self) -> str:
        """The annotation file's own name."""
        return self.path.stem

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)


def find_photograph(images: Path, image: dict[str, Any]) -> Path:
    """The file of an image of an annotation file.

    Args:
        images: folder of the photographs, or of COCO's folders.
        image: its entry; LVIS's have no ``file_name`` but an address that ends in COCO's folder and
            name.

    Returns:
        The first of its possible places where there is a file; where there is none, the first.
    """
    address = Path(image.get("coco_url") or "")
    name = Path(image.get("file_name") or address)
    places = [images / name.name, images / address.parent.name / name.name, images / name]
    return next((place for place in places if place.is_file()), places[0])

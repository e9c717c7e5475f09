"""COCO's or LVIS's public annotation file with the photographs beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from pathlib import Path

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
        left_out: how many objects and photographs that were chosen are left out.

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
            self.left_out = len(lost), len({a["image_id"] for a in lost})
            coco["annotations"] = [a for a in chosen if a["image_id"] not in without]
            wanted = {a["image_id"] for a in coco["annotations"]}
            coco["images"] = [image for image in coco["images"] if image["id"] in wanted]
        self.photographs = [
            Photograph(record, FileBlob(_find(images, record.image.file_name)))
            for record in coco_records(coco, path)
        ]
        self.digest = hashlib.sha256(content).hexdigest()

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


def _find(images: Path, name: str) -> Path:
    """LVIS names COCO's folders, which may be where we are already."""
    path = images / name
    return path if path.is_file() else images / Path(name).name

"""COCO's or LVIS's public annotation file with the photographs beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from picosam2.data.coco import CocoReader, digest_with
from picosam2.data.coco_file import read_coco_file
from picosam2.data.header import Exif
from picosam2.data.photograph import Photograph
from picosam2.data.problems import Problems


class AnnotationFile:
    """The photographs of an annotation file, without unpacking what is not asked for.

    Args:
        path: ``instances_val2017.json``, ``lvis_v1_val.json`` or another in their format.
        images: folder of the photographs, or of COCO's folders ``train2017`` and ``val2017``.
        first: take only so many objects that are not crowds, in the order of the file.
        without: ids of photographs to leave out, after that choice.
        problems: where to note what is left out because it is broken.
        exif: ``ignore`` takes every photograph as it is stored.

    Attributes:
        images: the folder given.
        selection: what was chosen of the file, JSON-ready: ``first``, and how many objects and
            photographs of that choice are left out.
        problems: what was left out because it is broken; the caller says so.

    Raises:
        InputError: the file is missing or not in COCO's format.
    """

    def __init__(
        self,
        path: Path,
        images: Path,
        first: int | None = None,
        without: Collection[int] = (),
        problems: Problems | None = None,
        exif: Exif = "auto",
    ) -> None:
        self.path, self.images = path, images
        self.problems = Problems() if problems is None else problems
        file = read_coco_file(path, self.problems)
        file.note_orphans(self.problems)
        chosen = [(i, entry) for i, entry in file.objects if not entry.get("iscrowd")][:first]
        lost = [image_id for image_id, _ in chosen if image_id in without]
        self.selection = {
            "first": first,
            "left_out_objects": len(lost),
            "left_out_photographs": len(set(lost)),
        }
        file.objects = [(i, entry) for i, entry in chosen if i not in without]
        wanted = {image_id for image_id, _ in file.objects}
        file.images = {k: v for k, v in file.images.items() if k in wanted}
        reader = CocoReader(file, images, self.problems, exif)
        self.photographs = list(reader.photographs())
        self.digest = digest_with(file.digest, exif)
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

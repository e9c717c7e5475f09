"""COCO: this project's folders, and the public layout."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from picosam2.data.coco import CocoReader, shown_name
from picosam2.data.coco_file import Entry, read_coco_file
from picosam2.data.header import Exif
from picosam2.data.importers.candidate import Candidate, Found
from picosam2.data.places import images_of
from picosam2.data.problems import Problems
from picosam2.errors import InputError


def find_coco(
    source: str, split: str | None, problems: Problems, exif: Exif = "auto"
) -> list[Candidate]:
    """``images/`` + ``instances.json``, or ``annotations/instances_SPLIT.json`` + ``SPLIT/``.

    Raises:
        InputError: there is neither, or the annotations are not in COCO's format.
    """
    folder = Path(source)
    if is_plain_folder(folder):
        return list_images(folder / "instances.json", images_of(folder), problems, split, exif)
    annotations, split = find_annotations(folder, "instances_", split)
    return list_images(annotations, folder / split, problems, split, exif)


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
    annotation_file: Path, images: Path, problems: Problems, split: str | None, exif: Exif
) -> list[Candidate]:
    """The images of an annotation file.

    Args:
        annotation_file: in COCO's or LVIS's format.
        images: the folder that the file names start from.
        problems: where to note what cannot be taken.
        split: of images that do not name their own.
        exif: ``ignore`` takes every photograph as it is stored.

    Raises:
        InputError: the file is not in COCO's format.
    """
    file = read_coco_file(annotation_file, problems)
    file.note_orphans(problems)
    objects = file.objects_by_image()
    file.images = {number: {"split": split} | entry for number, entry in file.images.items()}
    reader = CocoReader(file, images, problems, exif)
    return [
        Candidate(
            shown_name(file, entry).replace("\\", "/"),
            partial(_read, reader, number, objects.get(number, [])),
            number,
        )
        for number, entry in file.images.items()
    ]


def _read(reader: CocoReader, number: int, objects: list[Entry]) -> Found | None:
    photograph = reader.photograph(number, objects)
    if photograph is None:
        return None
    return Found(photograph.record, photograph.encoded.read(), upright=photograph.upright)

"""A folder in COCO format: ``images/`` and ``instances.json``."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from picosam2.data.coco_file import CocoFile, Entry, entry_ids, read_coco_file
from picosam2.data.header import Exif, annotated_upright, read_header
from picosam2.data.keys import as_number, as_text
from picosam2.data.photograph import Photograph
from picosam2.data.places import find_photograph, images_of
from picosam2.data.problems import BrokenError, Kind, Problems
from picosam2.data.records import check_annotation, check_image, unique_annotations
from picosam2.data.rle import rle_area
from picosam2.data.schema import Annotation, ImageInfo, Record
from picosam2.data.segmentation import parse_segmentation
from picosam2.errors import InputError

ALL = slice(None)


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

    Args:
        path: the folder; without an ``images/`` the photographs lie in it.
        part: which of its photographs.
        problems: where to note what is left out.
        exif: ``ignore`` takes every photograph as it is stored.

    Attributes:
        problems: what was left out; the caller says so.

    Raises:
        InputError: the folder or its annotation file is missing or not COCO's format.
    """

    def __init__(
        self,
        path: str | Path,
        part: slice = ALL,
        problems: Problems | None = None,
        exif: Exif = "auto",
    ) -> None:
        self.path = Path(path)
        self.problems = Problems() if problems is None else problems
        annotation_file = self.path / "instances.json"
        if not annotation_file.is_file():
            raise InputError(f"no {annotation_file}: give a folder with images/ and instances.json")
        file = read_coco_file(annotation_file, self.problems)
        reader = CocoReader(file, images_of(self.path), self.problems, exif)
        self.photographs = list(reader.photographs(part))
        # Of the parts of a folder, the first speaks for its one file.
        if not part.start:
            file.note_orphans(self.problems)
        self.digest = digest_with(file.digest, exif)
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


def digest_with(digest: str, exif: Exif) -> str:
    """The digest of annotations on photographs that are not turned by EXIF is another."""
    return digest if exif == "auto" else hashlib.sha256(f"{digest} {exif}".encode()).hexdigest()


@dataclass(frozen=True)
class CocoReader:
    """Makes checked photographs of the entries of an annotation file, without their pixels.

    Args:
        file: the annotation file.
        images: the folder that its file names start from.
        problems: where to note photographs and objects that cannot be taken.
        exif: ``ignore`` takes every photograph as it is stored.
    """

    file: CocoFile
    images: Path
    problems: Problems
    exif: Exif

    def photographs(self, part: slice = ALL) -> Iterator[Photograph]:
        """Those of a part of the entries that can be taken."""
        objects = self.file.objects_by_image()
        for number in list(self.file.images)[part]:
            found = self.photograph(number, objects.get(number, []))
            if found is not None:
                yield found

    def photograph(self, number: int, objects: list[Entry]) -> Photograph | None:
        """One photograph; None, and a note, where it cannot be taken.

        Args:
            number: its id.
            objects: their entries.
        """
        entry = self.file.images[number]
        try:
            info = _image_info(entry, number)
            place = find_photograph(self.images, *names_of(entry))
            header = read_header(place, place.name)
            size = info.width, info.height
            upright = annotated_upright(header, *size, info.file_name, self.exif, self.problems)
        except BrokenError as error:
            # Its objects go with it, without a note of their own.
            self._note(error, entry, entry_ids(entry))
            return None
        record = Record(info, self._annotations(objects, info, entry))
        return Photograph(record, FileBlob(place), upright=upright)

    def _annotations(
        self, objects: list[Entry], image: ImageInfo, entry: Entry
    ) -> list[Annotation]:
        """The objects that can be taken; the others are noted."""
        found = []
        for given in objects:
            ids = entry_ids(entry, given)
            try:
                found.append((_annotation(given, image, self.file.categories), ids))
            except BrokenError as error:
                self._note(error, entry, ids)
        unique = unique_annotations(found, lambda error, ids: self._note(error, entry, ids))
        return [annotation for annotation, _ in unique]

    def _note(self, error: BrokenError, entry: Entry, ids: dict[str, Any]) -> None:
        name = shown_name(self.file, entry)
        self.problems.add(error.kind, self.file.path.parent, name, error, **ids)


def shown_name(file: CocoFile, entry: Entry) -> str:
    """What a photograph is called in messages."""
    name = entry.get("file_name") or entry.get("coco_url")
    return name if isinstance(name, str) else file.path.name


def names_of(entry: Entry) -> tuple[str, str]:
    """The file name and the address of an image's entry; one of them may be empty.

    Raises:
        BrokenError: it has neither, or a name that can be no file's.
    """
    file_name, address = entry.get("file_name") or "", entry.get("coco_url") or ""
    if not isinstance(file_name, str) or not isinstance(address, str):
        raise BrokenError(Kind.IMAGE, f"its file_name is {file_name!r:.40}, not text")
    if not file_name and not address:
        raise BrokenError(Kind.IMAGE, "it has no file_name")
    if file_name and PurePosixPath(file_name.replace("\\", "/")).name in ("", ".."):
        raise BrokenError(Kind.IMAGE, f"its file_name {file_name!r:.40} is a folder's")
    return file_name, address


def _image_info(entry: Entry, number: int) -> ImageInfo:
    file_name, address = names_of(entry)
    split = entry.get("split")
    split = as_text(split) if isinstance(split, str) else None
    if not file_name:
        # LVIS has only the address, which ends in COCO's split and name.
        folder, _, file_name = address.rpartition("/")
        folder = folder.rpartition("/")[2]
        file_name, split = f"{folder}/{file_name}", split or folder
    original = entry.get("original_size")
    if original is not None and not (isinstance(original, list) and len(original) == 2):
        raise BrokenError(Kind.IMAGE, f"its original_size is {original!r:.40}")
    info = ImageInfo(
        number,
        whole_pixels("width", entry.get("width")),
        whole_pixels("height", entry.get("height")),
        file_name,
        (whole_pixels("original_size", original[0]), whole_pixels("original_size", original[1]))
        if original
        else None,
        split,
    )
    check_image(info)
    return info


def whole_pixels(name: str, value: Any) -> int:
    """A side in pixels; some tools write whole numbers as 640.0.

    Args:
        name: of the side, for messages.
        value: as a file has it.

    Raises:
        BrokenError: it is no whole number.
    """
    if value is None:
        raise BrokenError(Kind.IMAGE, f"it has no {name}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise BrokenError(Kind.IMAGE, f"its {name} is {value!r:.40}, not a number of pixels")
    return int(value)


class _Entry(msgspec.Struct):
    """An object in an annotation file, as far as it is read."""

    id: int | float | str
    bbox: tuple[float, float, float, float]
    segmentation: Any = None
    area: Any = None
    iscrowd: int | bool | None = 0
    source: Any = None
    category_id: int | float | str | None = None
    predicted_iou: float | None = None
    stability_score: float | None = None


def _annotation(given: Any, image: ImageInfo, categories: dict[int, str]) -> Annotation:
    """One object.

    Raises:
        BrokenError: it cannot be taken.
    """
    try:
        entry = msgspec.convert(given, _Entry)
        number = as_number(entry.id)
        category = None if entry.category_id is None else as_number(entry.category_id)
    except (ValueError, OverflowError) as error:
        raise BrokenError(Kind.ANNOTATION, error) from None
    rle = (
        parse_segmentation(entry.segmentation, image.height, image.width)
        if entry.segmentation
        else None
    )
    area = entry.area
    # An integer in JSON may be larger than any float.
    most = sys.float_info.max
    if isinstance(area, bool) or not isinstance(area, int | float) or not 0 <= area <= most:
        # Nothing depends on the area: where it is no number, the mask's is taken.
        area = rle_area(rle) if rle else 0
    annotation = Annotation(
        id=number,
        bbox=entry.bbox,
        segmentation=rle,
        area=float(area),
        iscrowd=int(entry.iscrowd or 0),
        # Other people's files name other things a source; what is not a teacher's is a person's.
        source="teacher" if entry.source == "teacher" else "human",
        category_id=category,
        category=categories.get(category) if category is not None else None,
        predicted_iou=entry.predicted_iou,
        stability_score=entry.stability_score,
    )
    check_annotation(annotation, image)
    return annotation

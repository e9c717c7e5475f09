"""Pascal VOC's segmentation: one picture of object numbers and one of class numbers."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from picosam2.data.header import Exif, annotated_upright, read_header
from picosam2.data.importers.candidate import Candidate, Found
from picosam2.data.importers.objects import mask_annotation, mask_size, read_mask_picture
from picosam2.data.problems import BrokenError, Kind, Problems
from picosam2.data.schema import ImageInfo, Record
from picosam2.errors import InputError

# In VOC's own order: numbers 1 to 20.
CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
BACKGROUND, VOID = 0, 255


def find_voc(
    source: str, split: str | None, problems: Problems, exif: Exif = "auto"
) -> list[Candidate]:
    """The photographs that have a ``SegmentationObject``, or those of a split's list.

    Raises:
        InputError: it is not VOC's layout, or has no such split.
    """
    folder = Path(source)
    for name in ("JPEGImages", "SegmentationObject"):
        if not (folder / name).is_dir():
            raise InputError(f"no {folder / name}: give a folder such as VOCdevkit/VOC2012")
    if split is None:
        names = sorted(path.stem for path in (folder / "SegmentationObject").glob("*.png"))
    else:
        names = _names_of(folder / "ImageSets" / "Segmentation", split, folder / "JPEGImages")
    read = partial(_read, folder, split=split, exif=exif, problems=problems)
    return [
        Candidate(f"{name}.jpg", partial(read, name, number), number)
        for number, name in enumerate(names, start=1)
    ]


def _names_of(folder: Path, split: str, pictures: Path) -> list[str]:
    lists = {path.stem: path for path in folder.glob("*.txt")}
    if split not in lists:
        known = ", ".join(sorted(lists)) or "none"
        raise InputError(f"no split {split!r} in {folder}: there are {known}")
    try:
        lines = lists[split].read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{lists[split]} is no text in UTF-8: save it so") from None
    names = [line.strip() for line in lines if line.strip()]
    # The lists of a class have a second column: whether the photograph shows it.
    return [
        name if (pictures / f"{name}.jpg").is_file() else re.sub(r"\s+(-1|0|1)$", "", name)
        for name in names
    ]


def _read(
    folder: Path, name: str, image_id: int, *, split: str | None, exif: Exif, problems: Problems
) -> Found:
    photograph = folder / "JPEGImages" / f"{name}.jpg"
    header = read_header(photograph, photograph.name)
    object_file = folder / "SegmentationObject" / f"{name}.png"
    size = mask_size(object_file)
    upright = annotated_upright(header, *size, photograph.name, exif, problems)
    objects = _numbers(object_file, size)
    class_file = folder / "SegmentationClass" / f"{name}.png"
    classes = _numbers(class_file, size) if class_file.is_file() else np.zeros_like(objects)
    annotations = []
    for number in np.unique(objects).tolist():
        if number not in (BACKGROUND, VOID):
            mask = objects == number
            annotations.append(mask_annotation(image_id, number, mask, *_class(classes[mask])))
    info = ImageInfo(image_id, *size, photograph.name, split=split)
    return Found(Record(info, annotations), photograph.read_bytes(), upright=upright)


def _numbers(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The palette's numbers, H×W uint8, not its colours."""
    with read_mask_picture(path, size) as image:
        if image.mode not in ("P", "L"):
            name = f"{path.parent.name}/{path.name}"
            raise BrokenError(Kind.MASK, f"{name} has colours instead of numbers")
        return np.asarray(image)


def _class(numbers: NDArray[np.uint8]) -> tuple[int | None, str | None]:
    """The class most pixels of an object have."""
    counts = np.bincount(numbers, minlength=VOID + 1)
    number = int(counts[1 : len(CLASSES) + 1].argmax()) + 1
    return (number, CLASSES[number - 1]) if counts[number] else (None, None)

"""Masks as pictures: ``images/NAME.*`` with ``masks/NAME.png`` or ``masks/NAME/*.png``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.header import Exif
from picosam2.data.importers.candidate import Candidate, Found
from picosam2.data.importers.objects import mask_annotation, read_mask_picture
from picosam2.data.importers.photos import image_files
from picosam2.data.picture import read_picture
from picosam2.data.problems import BrokenError, Kind, Problems
from picosam2.data.schema import ImageInfo, Record
from picosam2.errors import InputError


def find_masks(
    source: str, split: str | None, problems: Problems, exif: Exif = "auto"
) -> list[Candidate]:
    """The photographs of ``images/``; each must have a mask, and each mask a photograph.

    Photographs in folders below ``images/`` are noted as left out.

    Raises:
        InputError: there is no ``images/`` or ``masks/``.
    """
    images, masks = Path(source) / "images", Path(source) / "masks"
    for folder in (images, masks):
        if not folder.is_dir():
            raise InputError(f"no {folder}: give a folder with images/ and masks/")
    photographs = []
    for path in image_files(images):
        if path.parent == images:
            photographs.append(path)
        else:
            name = path.relative_to(images).as_posix()
            problems.add(Kind.MASK, images, name, "lies in a folder below: put it into images/")
    names = {path.stem for path in photographs}
    single = {path.stem: path for path in _pictures(masks)}
    several = {path.name: path for path in _visible(masks) if path.is_dir()}
    for stem, path in sorted((single | several).items()):
        if stem not in names:
            problems.add(Kind.ORPHAN, masks, path.name, "no photograph of this name")
    read = partial(_read, masks=masks, split=split, exif=exif, problems=problems)
    return [
        Candidate(path.name, partial(read, path, number, single.get(path.stem)), number)
        for number, path in enumerate(photographs, start=1)
    ]


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, but for hidden files; nothing where there is none."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if not path.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    """The PNG files in a folder, sorted."""
    return [p for p in _visible(folder) if p.suffix.lower() == ".png" and not p.is_dir()]


def _read(
    path: Path,
    image_id: int,
    single: Path | None,
    *,
    masks: Path,
    split: str | None,
    exif: Exif,
    problems: Problems,
) -> Found:
    """A photograph with its one mask, or with those in the folder of its name."""
    files = _pictures(masks / path.stem) if single is None else [single]
    if not files:
        stem = path.stem
        raise BrokenError(Kind.MASK, f"has no masks/{stem}.png and no masks/{stem}/*.png")
    # A mask is drawn on what people see: the upright photograph.
    picture, size = read_picture(path, exif)
    annotations, broken = [], []
    for number, file in enumerate(files, start=1):
        try:
            mask = read_mask(file, size)
        except BrokenError as error:
            broken.append((number, error))
            continue
        if mask.any():
            annotations.append(mask_annotation(image_id, number, mask))
    if len(broken) == len(files):
        # Without any mask it would be a photograph without objects, which it is not.
        raise broken[0][1]
    for number, reason in broken:
        problems.add(reason.kind, masks, path.name, reason, image=image_id, annotation=number)
    info = ImageInfo(image_id, *size, path.name, split=split)
    return Found(Record(info, annotations), picture)


def read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """H×W bool: object is what is above half, or not zero in masks of 0 and 1 and in palettes.

    Of a picture with transparent pixels, as ``segment --format cutout`` writes it, alpha alone
    tells: object is what is above half.

    Raises:
        BrokenError: it is missing, damaged, of another size, or its values are not those of a mask.
    """
    with read_mask_picture(path, size) as image:
        return mask_of_picture(image, path.name)


def mask_of_picture(image: Image.Image, name: str) -> NDArray[np.bool_]:
    """As ``read_mask``, of a picture that is open; the name is for messages.

    Raises:
        BrokenError: its values are not those of a mask.
    """
    if image.getbands()[-1] in ("A", "a"):
        alpha = np.asarray(image.getchannel(len(image.getbands()) - 1))
        # A cut-out shows the object where it is opaque; its colours are the photograph's.
        if alpha.min() < 255:
            return alpha > 127
    has_numbers = image.mode in ("1", "P")
    is_grey = has_numbers or image.mode == "L" or image.mode.startswith("I")
    values = np.asarray(image if is_grey else image.convert("L"))
    top = values.max()
    if has_numbers or top <= 1:
        return values > 0
    half = 127 if top <= 255 else 32767
    if top <= half:
        raise BrokenError(
            Kind.MASK, f"the mask {name} has values up to {top}: give 0 and 255, or 0 and 1"
        )
    return values > half

"""LVIS: COCO's photographs with other annotations, found by their address."""

from __future__ import annotations

from pathlib import Path

from picosam2.data.header import Exif
from picosam2.data.importers.candidate import Candidate
from picosam2.data.importers.coco import find_annotations, find_coco, is_plain_folder, list_images
from picosam2.data.problems import Problems


def find_lvis(
    source: str, split: str | None, problems: Problems, exif: Exif = "auto"
) -> list[Candidate]:
    """``lvis_v1_SPLIT.json`` with the folders of COCO's splits, or this project's layout.

    Raises:
        InputError: there is neither, or the annotations are not in LVIS's format.
    """
    folder = Path(source)
    if is_plain_folder(folder):
        return find_coco(source, split, problems, exif)
    annotations, _ = find_annotations(folder, "lvis_v1_", split)
    return list_images(annotations, folder, problems, None, exif)

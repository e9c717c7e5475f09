"""Shards as a folder in COCO format, which other tools read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from picosam2.data.header import Exif
from picosam2.data.keys import UniqueIds, UniqueKeys
from picosam2.data.picture import store_picture
from picosam2.data.problems import BrokenError, Problems
from picosam2.data.schema import Annotation, ImageInfo
from picosam2.data.shards import Sample, find_shards, photograph_of, read_shard
from picosam2.errors import InputError
from picosam2.files import new_folder

# COCO's readers want a class of every object.
UNKNOWN_CLASS = "object"


@dataclass
class ExportReport:
    """What an export wrote.

    Args:
        photographs: written.
        objects: written.
        answers: a teacher's answers to prompts, which COCO's format has no place for.
    """

    photographs: int = 0
    objects: int = 0
    answers: int = 0


def export_coco(location: str, out: Path, problems: Problems, exif: Exif = "auto") -> ExportReport:
    """Write ``images/`` and ``instances.json``: all of it or nothing.

    Ids stay as they are, but where two photographs, objects or classes share one, the later gets a
    new one. Objects without a class get the class ``object``.

    Args:
        location: folder of shards or one shard, a path or an address.
        out: the folder, new or empty.
        problems: where to note what is left out; ``left-out.jsonl`` in the folder has it.
        exif: ``ignore`` takes every photograph as it is stored.

    Raises:
        InputError: there are no shards, all is damaged, or ``out`` holds something already or
            cannot be written.
    """
    report = ExportReport()
    content = _Content()
    keys = UniqueKeys()
    shards = find_shards(location)
    with new_folder(out) as folder:
        (folder / "images").mkdir()
        samples = _samples(shards, problems, exif)
        for sample in tqdm(samples, desc="exporting", unit="image", delay=1):
            file_name = f"{keys.give(sample.key)}.jpg"
            encoded = photograph_of(sample).encoded.read()
            if exif == "ignore":
                # Whoever reads the folder is not told to ignore what EXIF says.
                try:
                    _, encoded = store_picture(sample.record, encoded, None)
                except BrokenError as error:
                    problems.add(error.kind, location, sample.key, error)
                    continue
            (folder / "images" / file_name).write_bytes(encoded)
            content.add(sample, file_name)
            report.photographs += 1
            report.objects += len(sample.record.annotations)
            report.answers += sum(len(a.teacher) for a in sample.record.annotations)
        if not report.photographs:
            raise InputError(f"no photograph of {location} can be read; {out} is not written")
        if not report.objects and problems.lost_objects():
            raise InputError(f"no object of {location} can be read; {out} is not written")
        (folder / "instances.json").write_text(json.dumps(content.as_coco()))
        problems.write(folder)
    return report


def _samples(shards: Iterable[str], problems: Problems, exif: Exif) -> Iterator[Sample]:
    for shard in shards:
        yield from read_shard(shard, problems, exif=exif)


class _Content:
    """The lists of an annotation file."""

    def __init__(self) -> None:
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: dict[tuple[int | None, str | None], dict[str, Any]] = {}
        self._image_ids, self._annotation_ids, self._category_ids = (UniqueIds() for _ in range(3))

    def add(self, sample: Sample, file_name: str) -> None:
        image = sample.record.image
        image_id = self._image_ids.give(image.image_id)
        self._images.append(_coco_image(image, image_id, file_name))
        for annotation in sample.record.annotations:
            ids = {"id": self._annotation_ids.give(annotation.id), "image_id": image_id}
            if annotation.category_id is not None or annotation.category is not None:
                ids["category_id"] = self._category(annotation.category_id, annotation.category)
            self._annotations.append(ids | _coco_annotation(annotation))

    def as_coco(self) -> dict[str, Any]:
        for annotation in self._annotations:
            # Last, so that the class without a number takes none that another class brings.
            if "category_id" not in annotation:
                annotation["category_id"] = self._category(None, None)
        return {
            "images": self._images,
            "annotations": self._annotations,
            "categories": list(self._categories.values()),
        }

    def _category(self, number: int | None, name: str | None) -> int:
        known = self._categories.get((number, name))
        if known is None:
            given = self._category_ids.give(number)
            known = {
                "id": given,
                "name": name or (UNKNOWN_CLASS if number is None else str(number)),
            }
            self._categories[number, name] = known
        return int(known["id"])


def _coco_image(image: ImageInfo, image_id: int, file_name: str) -> dict[str, Any]:
    content = {
        "id": image_id,
        "file_name": file_name,
        "width": image.width,
        "height": image.height,
        "original_size": image.original_size,
        "split": image.split,
    }
    return _known(content)


def _coco_annotation(annotation: Annotation) -> dict[str, Any]:
    rle = annotation.segmentation
    content = {
        "bbox": annotation.bbox,
        "segmentation": {"size": rle.size, "counts": rle.counts} if rle else None,
        "area": annotation.area,
        "iscrowd": annotation.iscrowd,
        # SA-1B names no source: its masks are a teacher's.
        "source": annotation.source or "teacher",
        "predicted_iou": annotation.predicted_iou,
        "stability_score": annotation.stability_score,
    }
    return _known(content)


def _known(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value is not None}

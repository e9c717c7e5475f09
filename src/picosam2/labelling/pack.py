"""Labels without their photographs: to keep and share what a teacher said, and to join it again."""

from __future__ import annotations

import lzma
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
from tqdm import tqdm

from picosam2.data.problems import Problems
from picosam2.data.schema import Annotation, Record
from picosam2.data.shards import (
    Sample,
    find_shards,
    read_meta,
    read_shard,
    writing_shard,
)
from picosam2.data.storage import base_name, beneath, exists, writing
from picosam2.errors import InputError
from picosam2.files import scratch_folder
from picosam2.labelling.photograph import with_answers
from picosam2.labelling.record import RECORD_FILE, read_record, write_record

MAX_BOX_DIFFERENCE = 0.5
CHUNK = 1 << 20
# What is packed with the highest preset takes 65 MB to unpack; labels become 2 to 4 times as many.
MOST_MEMORY, MOST_TIMES = 100 << 20, 1000


def pack_labels(source: str, out: Path) -> int:
    """Write the labels of shards, without photographs and human masks, as one ``.tar.xz``.

    Args:
        source: folder of labelled shards, or one of them.
        out: the file.

    Returns:
        How many photographs it is about.

    Raises:
        InputError: these are no labels, two photographs have one name (they could not be joined
            again), or the file cannot be written.
    """
    shards = find_shards(source)
    record = read_record(shards[0].rpartition("/")[0])
    if record is None:
        raise InputError(f"{source} has no {RECORD_FILE}: picosam2 label makes labels")
    names: set[str] = set()
    with scratch_folder() as folder:
        tar = folder / "labels.tar"
        with writing_shard(str(tar)) as labels:
            labels.add_meta(RECORD_FILE, record)
            for shard in tqdm(shards, desc="packing", unit="shard", delay=2):
                for sample in _read(shard):
                    name = sample.record.image.file_name
                    if name in names:
                        raise InputError(f"{source} has two photographs named {name}")
                    names.add(name)
                    soft = sample.soft.read() if sample.soft else None
                    # By number: keys of different shards may be equal.
                    key = f"{len(names):08d}"
                    labels.add(key, _only_labels(sample.record), None, soft)
        with (
            tar.open("rb") as content,
            writing(str(out)) as path,
            lzma.open(path, "wb", preset=9) as file,
        ):
            shutil.copyfileobj(content, file)
    return len(names)


def join_labels(labels: Path, source: str, out: str) -> tuple[int, int]:
    """Write shards that have both the photographs of ``source`` and the labels.

    Photographs are matched by file name and ``image_id``, objects by the id of their annotation.
    Shards that have not all their labels are not written: ``picosam2 label`` into the same folder
    goes on with them.

    Args:
        labels: a file of ``pack_labels``.
        source: the shards that were labelled, imported again.
        out: folder of the new shards, a path or an address.

    Returns:
        How many photographs were written, and how many of ``source`` are in shards that have not
        all their labels and were not.

    Raises:
        InputError: bad input, labels of other photographs, or ``out`` cannot be written.
    """
    joined = missing = 0
    with _unpacked(labels) as tar:
        by_name = _by_name(_read(tar, photographs=False))
        made_by = read_meta(tar, RECORD_FILE)
        for shard in tqdm(find_shards(source), desc="joining", unit="shard", delay=2):
            target = beneath(out, base_name(shard))
            if exists(target):
                raise InputError(f"{target} is there already: use another --out")
            found = list(_read(shard))
            samples = [s for s in found if s.record.image.file_name in by_name]
            if len(samples) < len(found):
                # A shard that is there counts as labelled: half of one would stay so.
                missing += len(found)
                continue
            with writing_shard(target) as writer:
                for sample in samples:
                    name = sample.record.image.file_name
                    if name not in by_name:
                        raise InputError(f"{shard} has two photographs named {name}")
                    label = by_name.pop(name)
                    assert sample.photograph is not None
                    record = _join(sample.record, label.record)
                    soft = label.soft.read() if label.soft else None
                    writer.add(sample.key, record, sample.photograph.read(), soft)
            if not joined and made_by is not None:
                write_record(out, made_by)
            joined += len(samples)
    if not joined:
        raise InputError(f"{labels} has the labels of no whole shard of {source}")
    return joined, missing


def _read(shard: str, photographs: bool = True) -> Iterator[Sample]:
    """Every sample; labels are not silently thinned out, so a damaged one is refused."""
    problems = Problems()
    yield from read_shard(shard, problems, photographs)
    if problems.entries:
        raise InputError(f"damaged: {problems.entries[0]}")


@contextmanager
def _unpacked(labels: Path) -> Iterator[str]:
    with scratch_folder() as folder:
        tar = folder / "labels.tar"
        try:
            with labels.open("rb") as packed, tar.open("wb") as file:
                _decompress(packed, file, MOST_TIMES * labels.stat().st_size)
        except (OSError, lzma.LZMAError, EOFError) as error:
            raise InputError(f"cannot read the labels {labels}: {error}") from None
        yield str(tar)


def _decompress(packed: IO[bytes], file: IO[bytes], most: int) -> None:
    """Copy what is compressed, within bounds of memory and disk that lying content cannot move.

    Raises:
        OSError, lzma.LZMAError, EOFError: it is damaged, or wants more than ``most`` bytes.
    """
    decompressor = lzma.LZMADecompressor(memlimit=MOST_MEMORY)
    while not decompressor.eof:
        given = packed.read(CHUNK) if decompressor.needs_input else b""
        if decompressor.needs_input and not given:
            raise EOFError("it is cut off")
        file.write(decompressor.decompress(given, CHUNK))
        if file.tell() > most:
            raise OSError(f"it unpacks to more than {most / 1e9:.1f} GB")


def _only_labels(record: Record) -> Record:
    """Without the masks that are somebody else's, or that the answers hold already."""
    kept = [
        msgspec.structs.replace(a, segmentation=None) if _is_known(a) else a
        for a in record.annotations
        if a.teacher or a.source == "teacher"
    ]
    return Record(record.image, kept)


def _is_known(annotation: Annotation) -> bool:
    """Whether the mask is a human's, or the answer to the box: not needed in the labels."""
    if not annotation.teacher:
        return False
    return annotation.source == "human" or (
        annotation.segmentation == annotation.teacher[0].segmentation
    )


def _by_name(samples: Iterator[Sample]) -> dict[str, Sample]:
    found: dict[str, Sample] = {}
    for sample in samples:
        name = sample.record.image.file_name
        if name in found:
            raise InputError(f"the labels are of two photographs named {name}")
        found[name] = sample
    return found


def _join(record: Record, labels: Record) -> Record:
    image, of = record.image, labels.image
    if image.image_id != of.image_id:
        raise InputError(f"{image.file_name} has the id {image.image_id}, labels {of.image_id}")
    if (image.width, image.height) != (of.width, of.height):
        raise InputError(
            f"{image.file_name} is {image.width}×{image.height}, its labels are of "
            f"{of.width}×{of.height}: import it as it was labelled"
        )
    by_id = {a.id: a for a in labels.annotations}
    annotations = []
    for annotation in record.annotations:
        label = by_id.pop(annotation.id, None)
        annotations.append(
            annotation if label is None else _joined(annotation, label, image.file_name)
        )
    for left in by_id.values():
        if left.segmentation is None:
            raise InputError(f"{image.file_name} has no annotation {left.id}, its labels have")
    # What is left was found by the teacher itself.
    return Record(image, annotations + list(by_id.values()))


def _joined(annotation: Annotation, label: Annotation, file_name: str) -> Annotation:
    differences = [abs(a - b) for a, b in zip(annotation.bbox, label.bbox, strict=True)]
    if max(differences) > MAX_BOX_DIFFERENCE or not label.teacher:
        raise InputError(f"annotation {annotation.id} of {file_name} is not the one in the labels")
    return msgspec.structs.replace(with_answers(annotation, label.teacher), soft=label.soft)

"""SA-1B: tars of ``sa_NUMBER.jpg`` and ``sa_NUMBER.json``, which are shards already."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from picosam2.data.header import Exif
from picosam2.data.importers.candidate import Candidate, Found
from picosam2.data.problems import Problems
from picosam2.data.shards import Sample, find_shards, read_shard


def find_sa1b(
    source: str, _split: str | None, problems: Problems, exif: Exif = "auto"
) -> Iterator[Candidate]:
    """The samples of a folder of tars or of one tar, tar by tar: a tar has a million masks.

    Raises:
        InputError: there are no tars, or one cannot be opened.
    """
    for shard in find_shards(source):
        for sample in read_shard(shard, problems, exif=exif):
            yield Candidate(sample.key, partial(_read, sample), sample.record.image.image_id)


def _read(sample: Sample) -> Found:
    assert sample.photograph is not None
    soft = sample.soft.read() if sample.soft else None
    return Found(sample.record, sample.photograph.read(), soft, sample.upright)

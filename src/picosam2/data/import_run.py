"""What an importer found becomes shards; what cannot is left out by name."""

from __future__ import annotations

import contextlib
import glob
import heapq
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import fsspec
import msgspec
from tqdm import tqdm

from picosam2.data.header import Exif
from picosam2.data.importers import IMPORTERS
from picosam2.data.importers.candidate import Candidate
from picosam2.data.keys import UniqueKeys, as_text, safe_key
from picosam2.data.picture import store_picture
from picosam2.data.problems import BrokenError, Kind, Problems
from picosam2.data.records import decode_record, encode_record
from picosam2.data.schema import Record
from picosam2.data.shards import writing_shard
from picosam2.data.storage import is_address, readable
from picosam2.errors import InputError
from picosam2.files import new_folder

# Key, record, JPEG and soft targets, as a shard's writer takes them.
Stored = tuple[str, Record, bytes, bytes | None]


@dataclass
class ImportReport:
    """What an import wrote.

    Args:
        photographs: written.
        objects: written.
        vanished: objects left out because their mask has no pixel at the new size.
        shards: written.
    """

    photographs: int = 0
    objects: int = 0
    vanished: int = 0
    shards: int = 0


@dataclass(frozen=True)
class ImportOptions:
    """How an import chooses and stores.

    Args:
        split: of the source, and the name of the shards; None where the source has none.
        max_side: pixels of the longest side that photographs are reduced to; None: they are not.
        limit: photographs to take; None: all.
        seed: of the choice that ``limit`` makes.
        per_shard: photographs a shard.
        exif: ``ignore`` takes every photograph as it is stored.
    """

    split: str | None = None
    max_side: int | None = None
    limit: int | None = None
    seed: int = 0
    per_shard: int = 500
    exif: Exif = "auto"


def import_photographs(
    kind: str, source: str, out: str, options: ImportOptions, problems: Problems
) -> ImportReport:
    """Write the photographs of ``source`` into new shards in ``out``: all of them or none.

    Args:
        kind: a format in ``IMPORTERS``.
        source: where the photographs are.
        out: folder of the shards, a path or an address.
        options: how to choose and store.
        problems: where to note what is left out; ``left-out.jsonl`` beside the shards has it.

    Raises:
        InputError: the source is not in this format, nothing of it could be imported, or ``out``
            holds something already or cannot be written.
    """
    report = ImportReport()
    prefix = safe_key(options.split or kind)
    with _new_shards(out) as folder:
        with readable(source):
            found = IMPORTERS[kind](source, options.split, problems, options.exif)
        chosen = tqdm(_choose(found, options), desc=f"importing {kind}", unit="image", delay=1)
        stored = _store(chosen, source, options.max_side, problems, report)
        for first in stored:
            with writing_shard(f"{folder}/{prefix}-{report.shards:06d}.tar") as shard:
                for sample in chain([first], islice(stored, options.per_shard - 1)):
                    shard.add(*sample)
            report.shards += 1
        if not report.shards:
            raise InputError(f"no photograph of {source} could be imported; {out} is not written")
        if not report.objects and problems.lost_objects():
            raise InputError(f"no object of {source} could be imported; {out} is not written")
        problems.write(folder)
    return report


@contextlib.contextmanager
def _new_shards(out: str) -> Iterator[str]:
    if not is_address(out):
        with new_folder(Path(out)) as folder:
            yield str(folder)
        return
    with readable(out):
        fs, path = fsspec.url_to_fs(out)
        shards = f"{glob.escape(path)}/*.tar"
        if fs.glob(shards):
            raise InputError(f"{out} holds shards already: give a new folder")
    try:
        yield out.rstrip("/")
    except BaseException:
        # Object stores cannot rename a folder: what was written before the failure goes again.
        for shard in fs.glob(shards):
            fs.rm_file(shard)
        raise


def _choose(found: Iterable[Candidate], options: ImportOptions) -> Iterable[Candidate]:
    """The first ``limit`` of a seeded shuffle, in the source's order and without holding it all."""
    if options.limit is None:
        return found
    draw = random.Random(options.seed).random
    drawn = ((draw(), place, candidate) for place, candidate in enumerate(found))
    chosen = heapq.nsmallest(options.limit, drawn, key=lambda one: one[:2])
    return [candidate for _, _, candidate in sorted(chosen, key=lambda one: one[1])]


def _with_text(record: Record) -> Record:
    """With a file name that JSON can hold: those on disk need not be text."""
    image = msgspec.structs.replace(record.image, file_name=as_text(record.image.file_name))
    return msgspec.structs.replace(record, image=image)


def _store(
    candidates: Iterable[Candidate],
    source: str,
    max_side: int | None,
    problems: Problems,
    report: ImportReport,
) -> Iterator[Stored]:
    keys = UniqueKeys()
    for candidate in candidates:
        try:
            given = candidate.read()
            if given is None:
                continue
            named = _with_text(given.record)
            record, encoded = store_picture(named, given.picture, max_side, given.upright)
            decode_record(encode_record(record))
        except BrokenError as error:
            problems.add(error.kind, source, candidate.name, error, image=candidate.image_id)
            continue
        except InputError:
            raise
        # A file may vanish, or be readable for others only.
        except OSError as error:
            reason = error.strerror or error
            problems.add(Kind.MISSING, source, candidate.name, reason, image=candidate.image_id)
            continue
        report.photographs += 1
        report.objects += len(record.annotations)
        report.vanished += len(given.record.annotations) - len(record.annotations)
        yield keys.give(candidate.name), record, encoded, given.soft

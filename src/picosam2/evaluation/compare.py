"""Several segmenters on the same objects: answers are kept, so that a run goes on after a stop."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from picosam2.data.annotation_file import AnnotationFile
from picosam2.data.photograph import Photograph
from picosam2.data.schema import Annotation
from picosam2.data.source import Source
from picosam2.data.storage import is_address
from picosam2.errors import InputError
from picosam2.evaluation.answers import Answer, answer_photograph, can_answer, score_answers
from picosam2.evaluation.cost import measure_costs
from picosam2.evaluation.peers import open_segmenter, title_of
from picosam2.evaluation.protocols import PROTOCOLS, find_protocols
from picosam2.evaluation.run import (
    Groups,
    choose_objects,
    describe_measurement,
    mask_area,
    objects_digest,
    report_results,
)
from picosam2.evaluation.segmenter import Segmenter
from picosam2.files import naming
from picosam2.output import write_json
from picosam2.processes import worker_pool
from picosam2.record import describe_machine, git_commit, versions

RUN_FILE, COSTS_FILE, ANSWERS = "run.json", "costs.json", "answers"

_Lines = msgspec.json.Decoder(list[Answer])


def compare(
    folder: Source,
    names: list[str],
    protocols: list[str],
    out: Path,
    limit: int | None = None,
    seed: int = 0,
    workers: int = 1,
) -> dict[str, Any]:
    """Measure segmenters on the same objects, and what their answers cost.

    Answers are kept in ``out/answers`` photograph by photograph: what is there is not asked again.

    Args:
        folder: photographs with masks.
        names: for ``open_segmenter``.
        protocols: names in ``PROTOCOLS``; those on crops are asked of our networks only.
        out: folder of the run; ``run.json`` is written there at the end.
        limit: measure only this many objects.
        seed: of the choice of those, of jittered boxes, and of the bootstrap.
        workers: processes that answer, one thread each; they change no answer.

    Returns:
        What ``run.json`` holds: ``segmenters`` (a name → what ``report_results`` gives, with its
        ``title`` and ``cost``), ``objects`` (their ids, files and areas), and what was measured.

    Raises:
        InputError: bad input, or ``out`` holds answers of something else.
    """
    protocols = find_protocols(protocols)
    groups = choose_objects(folder, limit, seed)
    folder.problems.say()
    folder.problems.write(out)
    setting = {"data": folder.digest, "objects": objects_digest(groups), "seed": seed}
    segmenters: dict[str, Any] = {}
    described = {}
    for name in names:
        segmenter = open_segmenter(name)
        asked = [protocol for protocol in protocols if can_answer(segmenter, protocol)]
        description = segmenter.description
        if not any(PROTOCOLS[protocol].interactive for protocol in asked):
            # First looks do not depend on what corrects them, or how.
            description.pop("correcting_sha256", None)
            for key in ("correction_margins", "correction_sure"):
                description.get("predictor", {}).pop(key, None)
        header = {"segmenter": description, "protocols": asked} | setting
        path = answers_file(out, name)
        described[name] = description
        answers = _keep_answers(path, header, groups, _asker(name, segmenter, asked, seed, workers))
        results = [
            score_answers(photograph, group, found)
            for (photograph, group), found in zip(
                tqdm(groups, desc=f"{title_of(name)}: scoring", unit="photograph", delay=5),
                answers,
                strict=True,
            )
        ]
        segmenters[name] = {
            "title": title_of(name),
            "answered": read_making(path),
            **description,
            **report_results(groups, results, asked, seed),
        }
    costs = _keep_costs(out / COSTS_FILE, described, groups, setting)
    for name in names:
        segmenters[name]["cost"] = costs["costs"][name]
    report = {
        "segmenters": segmenters,
        "objects": _objects(groups),
        "source": {
            "location": _absolute(str(folder.location)),
            "images": str(folder.images.resolve()) if isinstance(folder, AnnotationFile) else None,
        },
        "machine": costs["machine"],
        **describe_measurement(folder, groups, limit, seed),
        "command": sys.argv[1:],
    }
    write_json(out / RUN_FILE, report)
    return report


def answers_file(out: Path, name: str) -> Path:
    """Where a run keeps the answers of a segmenter."""
    return out / ANSWERS / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}.jsonl"


def read_answers(path: Path) -> list[list[Answer]]:
    """The answers of one segmenter, photograph by photograph.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        return [_Lines.decode(line) for line in path.read_bytes().splitlines()[1:]]
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"cannot read the answers {path}: {error}") from None


def read_making(path: Path) -> dict[str, Any]:
    """By which commit and with which versions the answers in a file were made."""
    header = json.loads(path.read_bytes().splitlines()[0])
    return {key: header[key] for key in ("commit", "versions")}


Asker = Callable[[Groups], Iterator[list[Answer]]]


def _asker(name: str, segmenter: Segmenter, protocols: list[str], seed: int, workers: int) -> Asker:
    """What answers about photographs in their order, here or in worker processes."""

    def ask_here(groups: Groups) -> Iterator[list[Answer]]:
        for photograph, group in groups:
            yield answer_photograph(segmenter, photograph, group, protocols, seed)

    def ask_workers(groups: Groups) -> Iterator[list[Answer]]:
        with worker_pool(workers, _start_worker, name, protocols, seed) as pool:
            yield from pool.map(_ask, groups)

    return ask_here if workers == 1 else ask_workers


_segmenter: Segmenter
_protocols: list[str]
_seed: int


def _start_worker(name: str, protocols: list[str], seed: int) -> None:
    global _segmenter, _protocols, _seed
    _segmenter, _protocols, _seed = open_segmenter(name), protocols, seed


def _ask(work: tuple[Photograph, list[Annotation]]) -> list[Answer]:
    return answer_photograph(_segmenter, *work, _protocols, _seed)


def _keep_answers(
    path: Path, header: dict[str, Any], groups: Groups, ask: Asker
) -> list[list[Answer]]:
    """The answers in a file, after asking for those that are missing.

    A line a photograph, under a temporary name until all are there; half a line, which a kill may
    leave, is asked for again.
    """
    if not path.is_file():
        part = path.with_name(f".{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        whole = [line for line in _lines(part) if line.endswith(b"\n")]
        _check_header(path, whole, header)
        done = max(0, len(whole) - 1)
        bar = tqdm(
            total=sum(len(group) for _, group in groups),
            initial=sum(len(group) for _, group in groups[:done]),
            desc=path.stem,
            unit="object",
        )
        with naming(part), part.open("ab") as file:
            file.truncate(sum(map(len, whole)))
            if not whole:
                file.write(msgspec.json.encode(header | _made_by()) + b"\n")
            with bar:
                for (_, group), found in zip(groups[done:], ask(groups[done:]), strict=True):
                    file.write(msgspec.json.encode(found) + b"\n")
                    file.flush()
                    bar.update(len(group))
        part.replace(path)
    _check_header(path, _lines(path), header)
    answers = read_answers(path)
    if len(answers) != len(groups):
        raise InputError(f"{path} is damaged: remove it and run again")
    return answers


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.is_file() else []


def _check_header(path: Path, lines: Iterable[bytes], header: dict[str, Any]) -> None:
    """Refuse answers to something else; who made them does not matter."""
    first = next(iter(lines), None)
    if first is None:
        return
    try:
        kept = msgspec.json.decode(first, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise InputError(f"{path} is damaged: remove it and run again") from None
    expected = msgspec.json.decode(msgspec.json.encode(header))
    if any(kept.get(key) != value for key, value in expected.items()):
        raise InputError(
            f"{path.parent} holds answers of other weights, data or protocols: use another --out"
        )


def _keep_costs(
    path: Path, described: dict[str, Any], groups: Groups, setting: dict[str, Any]
) -> dict[str, Any]:
    """The costs in a file; measured again, side by side, where they are of something else."""
    made = {"setting": setting, "segmenters": described, "machine": describe_machine()}
    made = msgspec.json.decode(msgspec.json.encode(made), type=dict[str, Any])
    if path.is_file():
        try:
            kept = json.loads(path.read_bytes())
            if {key: kept[key] for key in made} == made:
                return dict(kept)
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path} is damaged: remove it and run again") from None
    costs = measure_costs(list(described), groups, setting["seed"])
    content = {**made, "costs": costs, **_made_by()}
    write_json(path, content)
    return content


def _made_by() -> dict[str, Any]:
    return {"commit": git_commit(), "versions": versions("numpy", "pillow", "onnxruntime")}


def _absolute(location: str) -> str:
    return location if is_address(location) else str(Path(location).resolve())


def _objects(groups: Groups) -> list[dict[str, Any]]:
    return [
        {
            "image_id": photograph.image_id,
            "annotation_id": annotation.id,
            "file_name": photograph.record.image.file_name,
            "area": mask_area(annotation),
        }
        for photograph, group in groups
        for annotation in group
    ]

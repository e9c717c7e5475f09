"""The record of a run: what ran, on what, from which data."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

from picosam2.data.photograph import Photograph
from picosam2.data.source import Source, combine_digests

_Facts = tuple[list[str], list[int], bool]


def git_commit() -> str | None:
    """The commit of this package's own checkout; None where it runs from an installed copy."""
    package = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # Installed inside somebody else's repository, git would answer for that one.
        if Path(git("rev-parse", "--show-toplevel")).resolve() / "src" / "picosam2" != package:
            return None
        return git("describe", "--always", "--dirty", "--abbrev=40")
    except (OSError, subprocess.CalledProcessError):
        return None


def describe_machine() -> dict[str, Any]:
    """Processor and system, as far as they are known."""
    model = platform.processor() or platform.machine()
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
        model = found.group(1) if found else model
    except OSError:
        pass
    return {"processor": model, "system": f"{platform.system()} {platform.machine()}"}


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python, of this package and of the packages named."""
    names = ("picosam2", *packages)
    return {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in names}


def data_record(
    folders: list[Source], weights: list[float], gather: Callable[[_Facts], list[_Facts]]
) -> list[dict[str, Any]]:
    """Name, digest, sampling weight and image ids of each training folder.

    ``coco_ids`` says whether the ids are COCO's, as the photographs' names show.

    Args:
        folders: of this process.
        weights: one a folder.
        gather: gives the facts of every process that holds a part of the folder, by rank.
    """
    record = []
    for folder, weight in zip(folders, weights, strict=True):
        ids = [p.image_id for p in folder]
        parts = gather((folder.digests, ids, any(_has_coco_name(p) for p in folder)))
        # Every process has every so many'th file.
        rounds = zip_longest(*(digests for digests, _, _ in parts))
        digests = [digest for files in rounds for digest in files if digest is not None]
        record.append(
            {
                "folder": folder.name,
                "sha256": combine_digests(digests),
                "weight": weight,
                "image_ids": sorted(i for _, ids, _ in parts for i in ids),
                "coco_ids": any(coco for _, _, coco in parts),
            }
        )
    return record


def _has_coco_name(photograph: Photograph) -> bool:
    """Whether a photograph's name is its id in twelve digits, as in COCO and LVIS."""
    stem = Path(photograph.record.image.file_name).stem
    return len(stem) == 12 and stem.isdigit() and int(stem) == photograph.image_id

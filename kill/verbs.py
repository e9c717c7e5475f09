"""What is killed: each verb on the bundled photographs, and what of its output may differ."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picosam2.data.import_run import ImportOptions, import_photographs
from picosam2.data.problems import Problems
from picosam2.data.shards import read_shard, writing_shard
from picosam2.examples import EXAMPLES

Contents = dict[str, Any]
QUICK = Path(__file__).with_name("quick.py")
FLOORS = "grabcut,whole-crop,centred-disc"
# Measured times and memory, and what says when and by which commit something was made.
MEASURED = {"first_ms", "next_ms", "first_box_ms", "peak_bytes", "samples_per_s"}
MADE = {"commit", "git_commit", "starts", "command"}
# TensorBoard names its files after the second and the process. In the system's temporary folder
# Ray keeps logs, ONNX Runtime a number of the session and, of a killed quantisation, a model.
NOT_COMPARED = (
    "out/tensorboard/", "tmp/ray/", "tmp/.ses/", "tmp/ort.quant.", "tmp/torchinductor_",
)  # fmt: skip


@dataclass(frozen=True)
class Verb:
    """One command of a user.

    Args:
        arguments: of picosam2, before ``--out``.
        compared: what has to be equal, in words.
        whole_or_not: whether a folder that is there is refused: the run was done when it died.
    """

    arguments: tuple[str, ...]
    compared: str
    whole_or_not: bool = False


@dataclass(frozen=True)
class Inputs:
    """What the verbs read.

    Args:
        shards: the bundled photographs, one a shard, one of them damaged.
        run: a finished ``picosam2 eval --out``.
    """

    shards: Path
    run: Path


def make_inputs(folder: Path) -> Inputs:
    """Make what the verbs read."""
    whole, shards, run = (folder / name for name in ("whole", "shards", "run"))
    options = ImportOptions(per_shard=1)
    import_photographs("coco", str(EXAMPLES), str(whole), options, Problems())
    shutil.copytree(whole, shards)
    (sample,) = read_shard(str(sorted(whole.glob("*.tar"))[0]), Problems())
    assert sample.photograph is not None
    # Its head is whole: that it is damaged shows when it is decoded, and is left out.
    with writing_shard(str(shards / "damaged.tar")) as shard:
        photograph = sample.photograph.read()
        shard.add("damaged", sample.record, photograph[: len(photograph) // 2])
    evaluation = ("eval", "--data", EXAMPLES, "--peers", "whole-crop", "--protocol", "click,box")
    command = [sys.executable, QUICK, *evaluation, "--out", run]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return Inputs(shards, run)


def find_verbs(inputs: Inputs) -> dict[str, Verb]:
    """Every verb that writes more than one file, or writes for long, by a name of its own."""
    shards, examples = str(inputs.shards), str(EXAMPLES)
    label = ("label", shards, "--workers", "2")
    train = ("train", "--data", examples, "--val", examples, "--init", "random", "--samples", "60")
    train += ("--batch", "2", "--sizes", "32:1")
    return {
        "label": Verb(label, "labelled shards, what was left out, `labels.json`"),
        "label, Ray": Verb((*label, "--executor", "ray"), "the same"),
        "train": Verb(
            (*train, "--processes", "1"), "weights, state, log, validation's figures and pictures"
        ),
        "train, two processes": Verb((*train, "--processes", "2"), "the same"),
        "data import": Verb(
            ("data", "import", "coco", examples, "--per-shard", "1"), "shards", True
        ),
        "eval --out": Verb(
            ("eval", "--data", examples, "--protocol", "click,box", "--peers", FLOORS),
            "answers, `run.json`'s figures",
        ),
        "report": Verb(("report", str(inputs.run)), "page, tables, figures"),
        "export onnx": Verb(("export", "onnx"), "model, sidecar", True),
        "export onnx-int8": Verb(("export", "onnx-int8"), "model, sidecar", True),
    }  # fmt: skip


def read_contents(sandbox: Path) -> Contents:
    """Every file and folder below, hidden and temporary ones too, without what may differ."""
    contents: Contents = {}
    for path in sorted(sandbox.rglob("*")):
        name = path.relative_to(sandbox).as_posix()
        if not f"{name}/".startswith(NOT_COMPARED):
            contents[name] = _content(path, str(sandbox)) if path.is_file() else None
    return contents


def _content(path: Path, sandbox: str) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        ".json": json.loads,
        ".jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
        ".csv": lambda text: [line.rpartition(",")[0] for line in text.splitlines()],
    }
    content = path.read_bytes()
    if path.suffix not in readers:
        return content
    return _timeless(readers[path.suffix](content.decode().replace(sandbox, "")))


def _timeless(content: Any) -> Any:
    if isinstance(content, list):
        return [_timeless(part) for part in content]
    if isinstance(content, dict):
        left_out = MEASURED | MADE
        return {key: _timeless(value) for key, value in content.items() if key not in left_out}
    return content

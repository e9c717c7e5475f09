"""What comparisons of trainings share: photographs in memory once, a process a run, its figures."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.multiprocessing
from fit_scores import fit_scores
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from picosam2 import Predictor
from picosam2.data.source import open_source
from picosam2.evaluation.run import evaluate
from picosam2.export.run import export_model
from picosam2.model import ModelConfig, PaperConfig
from picosam2.output import write_json
from picosam2.predictor.scores import read_models
from picosam2.record import describe_machine, git_commit, versions
from picosam2.runtime.engines import open_runtime
from picosam2.training.config import TrainConfig
from picosam2.training.objects import TrainingObjects, load_objects
from picosam2.weights import FP32, INT8

PROTOCOLS = ["crop96", "click", "box"]
# Shares of the samples: folders that the teacher labelled, and folders of human masks.
LABELLED = {"coco-train": 0.54, "coco-boxes": 0.24}
HUMAN = {"duts-train": 0.10, "clothing-train": 0.06, "cats-train": 0.04, "balloon-train": 0.02}
# The second collection: small things, animals, streets.
SECOND = {"things-train": 0.09, "animals-train": 0.03, "street-train": 0.03}
# What SAM 2's grid of clicks found where nobody had outlined anything.
GRIDS = ("unlabelled", "coco-boxes-grid", "duts-grid")
# As small's third run weighed them and those after it: human masks, and what the teacher labelled.
OURS = {
    **SECOND,
    "duts-train": 0.04,
    "clothing-train": 0.02,
    "cats-train": 0.01,
    "balloon-train": 0.01,
}
TAUGHT = {
    "coco-train": 0.38,
    "coco-boxes": 0.20,
    "unlabelled": 0.09,
    "coco-boxes-grid": 0.07,
    "duts-grid": 0.03,
}
FOLDERS = (*HUMAN, *SECOND)
TARGETS = {"fp32": ("onnx", FP32), "int8": ("onnx-int8", INT8)}


@dataclass(frozen=True)
class Data:
    """All folders' objects, in memory once for all runs; ``folders`` are their names."""

    folders: list[str]
    objects: TrainingObjects

    @classmethod
    def load(cls, data: Path, labels: Path, seed: int) -> Data:
        """``labels/coco-train``, ..., ``data/duts-train``, ..."""
        # Threads of this process would not survive the forks.
        torch.set_num_threads(1)
        paths = [labels / name for name in LABELLED] + [data / name for name in FOLDERS]
        # Last, where they are: the draws from the others stay the same.
        paths += [labels / name for name in GRIDS if (labels / name).is_dir()]
        sources = [open_source(path) for path in paths]
        objects = load_objects(sources, [1.0] * len(sources), seed)
        return cls([path.name for path in paths], objects.share_memory_())

    def mixed(self, shares: dict[str, float], taught_alone: bool = True) -> TrainingObjects:
        """The same objects, each folder drawn from as often as its share says (0 without one).

        Args:
            shares: by name.
            taught_alone: whether to draw objects that have a teacher's mask and no human one.
        """
        if missing := shares.keys() - set(self.folders):
            raise SystemExit(f"no photographs of {', '.join(sorted(missing))}")
        objects = self.objects
        drawn = (objects.teacher_share < 1) | taught_alone
        each = np.array([shares.get(name, 0.0) for name in self.folders])
        counts = np.bincount(objects.folder_index[drawn], minlength=len(each)).clip(min=1)
        probability = (each / counts)[objects.folder_index] * drawn
        return dataclasses.replace(objects, probability=probability / probability.sum())


def conditions() -> dict[str, Any]:
    """Where and with what a run was made: commit, machine, versions."""
    return {
        "commit": git_commit(),
        "machine": describe_machine(),
        "versions": versions("torch", "numpy", "onnxruntime", "opencv-python-headless"),
    }


def digests(data: Path, labels: Path, splits: Iterable[str]) -> dict[str, str]:
    """SHA-256 of what was trained on, calibrated, fitted and measured with, by folder."""
    grids = [name for name in GRIDS if (labels / name).is_dir()]
    labelled = {f"labels/{name}": labels / name for name in (*LABELLED, *grids)}
    others = {f"data/{name}": data / name for name in (*FOLDERS, "coco-train", "coco-dev", *splits)}
    return {name: open_source(path).digest for name, path in (labelled | others).items()}


def short_config(
    samples: int, seed: int, lr: float, loss: str, model: ModelConfig | None = None
) -> TrainConfig:
    """The configuration of a short run, of the paper's network where no other is given."""
    return TrainConfig(
        samples=samples,
        warmup_samples=samples // 10,
        # As long an average as the last tenth of the run.
        ema_decay=0.995,
        lr=lr,
        loss=loss,
        seed=seed,
        model=model or PaperConfig(),
    )


def run_all(jobs: Iterable[Sequence[Callable[[], None]]], workers: int) -> None:
    """The steps of each job, each in a process of its own that reads this one's memory.

    ``workers`` jobs are done at a time.
    """
    context = torch.multiprocessing.get_context("fork")

    def run(steps: Sequence[Callable[[], None]]) -> None:
        for step in steps:
            process = context.Process(target=_run_and_leave, args=(step,))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"a run failed with exit code {process.exitcode}: see above")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, jobs))


def _run_and_leave(job: Callable[[], None]) -> None:
    # BLAS threads of several processes would wait for each other.
    threadpool_limits(1, user_api="blas")
    # The lock of tqdm is shared with the parent, in which another thread may hold it for ever.
    tqdm.set_lock(threading.RLock())
    job()
    sys.stderr.flush()
    # All is on disk: threads of libraries may not end by themselves after a fork.
    os._exit(0)


def measure(
    run: Path, data: Path, split: str, precisions: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """Figures of a run's weights as ONNX models, by precision and protocol: ``miou`` and ``map``.

    What tells good masks from bad ones depends on the weights: it is fitted on ``coco-dev`` to the
    first precision's model, once a run.
    """
    fitted, figures = run / "scores.json", {}
    for precision in precisions:
        target, model = TARGETS[precision]
        exported = run / target
        if not exported.is_dir():
            calibration = open_source(data / "coco-train")
            weights = run / "weights.safetensors"
            export_model(target, weights, exported, calibration, None, 1.0, seed=0)
        runtime = open_runtime(exported / model, None, 1)
        if not fitted.is_file():
            write_json(fitted, fit_scores(runtime, open_source(data / "coco-dev")))
        predictor = Predictor(runtime, scores=read_models(json.loads(fitted.read_bytes())))
        report = evaluate(open_source(data / split), PROTOCOLS, predictor)["protocols"]
        figures[precision] = {p: {k: report[p][k] for k in ("miou", "map")} for p in PROTOCOLS}
    return figures

"""A run's figures: CSV for reading, TensorBoard for looking."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from picosam2.files import naming, replacing


def _step(row: dict[str, str]) -> float:
    """A row's step; infinite where a kill cut the row short."""
    complete = None not in row.values() and row.get("step", "").isdigit()
    return int(row["step"]) if complete else math.inf


def _validated_step(line: str) -> float:
    """The step of a validation; infinite where a kill cut the line short."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf


class Log:
    """A run's figures as files and for TensorBoard; after a resume the files have no step twice."""

    def __init__(self, out: Path, step: int) -> None:
        self.path = out / "log.csv"
        self.writer = SummaryWriter(str(out / "tensorboard"), purge_step=step)
        rows: list[dict[str, str]] = []
        if self.path.is_file():
            with self.path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if _step(row) <= step]
        self.fields = ["step", "samples", "size", "lr", "loss", "iou", "iou_error", "samples_per_s"]
        with replacing(self.path) as temporary, temporary.open("w", newline="") as file:
            csv.DictWriter(file, self.fields).writeheader()
            csv.DictWriter(file, self.fields, extrasaction="ignore").writerows(rows)
        self.validation_path = out / "validation.jsonl"
        if self.validation_path.is_file():
            lines = self.validation_path.read_text().splitlines()
            with replacing(self.validation_path) as temporary:
                kept = [line for line in lines if _validated_step(line) <= step]
                temporary.write_text("".join(f"{line}\n" for line in kept))

    def add(self, row: dict[str, float]) -> None:
        """Append one row."""
        with naming(self.path), self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.fields).writerow(
                {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}
            )
        for name in self.fields[2:]:
            self.writer.add_scalar(f"train/{name}", row[name], int(row["samples"]))

    def validation(self, step: int, figures: dict[str, float]) -> None:
        """Append the figures of one validation to ``validation.jsonl``."""
        with naming(self.validation_path), self.validation_path.open("a") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")
        for name, value in figures.items():
            self.writer.add_scalar(f"validation/{name}", value, step)

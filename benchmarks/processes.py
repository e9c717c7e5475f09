"""Samples a second of whole training steps: one process with all threads, or one process a core.

Run it on an otherwise idle machine:

    python benchmarks/processes.py --data ../shared/data/balloon-train
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from picosam2.data.source import open_source
from picosam2.model import SmallConfig, build
from picosam2.training.config import TrainConfig
from picosam2.training.loop import RunOptions
from picosam2.training.objects import load_objects
from picosam2.training.processes import launch


def plain_loop(size: int, batch: int, bfloat16: bool, steps: int) -> float:
    """Samples a second of forward, backward and AdamW in one process, on noise, all threads."""
    network = build(SmallConfig()).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    images = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    masks = torch.rand(batch, 1, size, size).round()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits, _ = network(images)
        nn.functional.binary_cross_entropy_with_logits(logits.float(), masks).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - start)
    return batch / sorted(times)[len(times) // 2]


def training(data: Path, size: int, batch: int, processes: int, steps: int) -> float:
    """Samples a second of ``picosam2 train``, data and logging included."""
    objects = load_objects([open_source(data)], [1.0], seed=0)
    config = TrainConfig(samples=steps * batch, batch=batch, sizes=((size, 1.0),))
    with tempfile.TemporaryDirectory() as folder:
        launch(objects, config, RunOptions(Path(folder)), processes=processes)
        with (Path(folder) / "log.csv").open(newline="") as file:
            return float(list(csv.DictReader(file))[-1]["samples_per_s"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 96])
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    print(
        f"| crop | one process, {cores} threads, bf16 | the same, fp32 "
        f"| `picosam2 train`, {cores} processes |\n|---|---|---|---|"
    )
    for size in arguments.sizes:
        rates = [plain_loop(size, arguments.batch, kind, 9) for kind in (True, False)]
        rates.append(training(arguments.data, size, arguments.batch, cores, 100))
        print(f"| {size} | " + " | ".join(f"{rate:.0f}" for rate in rates) + " |")


if __name__ == "__main__":
    main()

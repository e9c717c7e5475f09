"""Where a training step's time goes, on one core or a GPU: data against the network.

python benchmarks/training.py --data ../shared/data/coco-train
python benchmarks/training.py --data ../shared/data/coco-train --device cuda --batch 1024

The photographs lie in the device's memory, and crops are cut there.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from picosam2.data.source import open_source
from picosam2.model import build
from picosam2.training.config import TrainConfig
from picosam2.training.crops import make_batch
from picosam2.training.loop import compute_loss
from picosam2.training.objects import load_objects
from picosam2.training.optimizers import make_optimizers
from picosam2.training.sampler import draw_prompts
from picosam2.training.world import keep_freed_memory

PHASES = ("draw prompts", "cut crops", "forward", "backward", "optimiser")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[48, 64, 96])
    parser.add_argument("--batch", type=int, default=16, help="crops a step of one process")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--give-back", action="store_true", help="freed memory to the system")
    parser.add_argument("--compile", action="store_true", help="the network by torch.compile")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config, device = TrainConfig(), torch.device(arguments.device)
    source = open_source(arguments.data)
    start = time.perf_counter()
    objects = load_objects([source], [1.0], seed=0)
    rate = len(source) / (time.perf_counter() - start)
    tensors = (objects.images.pixels, objects.masks.pixels, objects.tiles)
    each = sum(tensor.nbytes for tensor in tensors) / len(source)
    print(f"{len(source)} photographs, {len(objects)} objects: {each / 1e6:.2f} MB a photograph")
    print(f"in memory, {rate:.0f} photographs/s decoded by one core\n")
    objects.to(device)
    if not arguments.give_back:
        keep_freed_memory()
    network = build(config.model).to(device, memory_format=torch.channels_last).train()
    module = torch.compile(network) if arguments.compile else network

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    optimizers = make_optimizers(network, config)
    print("| crop | " + " | ".join(f"{phase}, ms" for phase in PHASES) + " | data | samples/s |")
    print("|---" * (len(PHASES) + 3) + "|")
    for size in arguments.sizes:
        times = []
        for step in range(arguments.steps + 2):
            rng = np.random.default_rng([0, step])
            marks = [now()]
            prompts = draw_prompts(objects, arguments.batch, rng, config.sampler)
            marks.append(now())
            batch = make_batch(objects, prompts, size, config.model)
            marks.append(now())
            loss, _ = compute_loss(module, batch, config, device)
            marks.append(now())
            network.zero_grad(set_to_none=True)
            loss.backward()
            marks.append(now())
            nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
            for optimizer in optimizers:
                optimizer.step()
            marks.append(now())
            times.append(np.diff(marks) * 1000)
        phases = np.median(times[2:], axis=0)
        data = phases[:2].sum() / phases.sum()
        rate = arguments.batch / phases.sum() * 1000
        cells = [f"{value:.1f}" for value in phases]
        print(f"| {size} | " + " | ".join(cells) + f" | {100 * data:.1f} % | {rate:.0f} |")


if __name__ == "__main__":
    main()

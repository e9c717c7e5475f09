"""Training in several processes: gradients as in one, and runs that change their number."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
import torch.multiprocessing
from safetensors.torch import load_file, save_file
from torch import nn

from picosam2.examples import EXAMPLES
from picosam2.model import PaperConfig, build
from picosam2.training import loop
from picosam2.training.config import TrainConfig
from picosam2.training.loop import RunOptions, compute_loss, draw_batch
from picosam2.training.objects import TrainingObjects, load_objects
from picosam2.training.processes import launch
from picosam2.training.world import World

SMALL = TrainConfig(
    samples=48,
    batch=8,
    sizes=((32, 1.0),),
    warmup_samples=8,
    model=PaperConfig(encoder=(8, 16), bottleneck=16, decoder=(16, 8)),
)


def gradients(world: World, objects: TrainingObjects) -> dict[str, torch.Tensor]:
    """Of one step of this process's part of the batch, BatchNorm's statistics frozen."""
    world.join()
    torch.manual_seed(0)
    network = build(SMALL.model)
    for module in network.modules():
        module.train(not isinstance(module, nn.BatchNorm2d))
    batch = draw_batch(world, objects, SMALL, step=3)
    parallel = world.parallel(network)
    # In bfloat16, which some processors multiply, halves of a batch are rounded otherwise.
    with mock.patch.object(loop, "autocast", return_value=contextlib.nullcontext()):
        loss, _ = compute_loss(parallel, batch, SMALL, world.device)
    loss.backward()
    return {name: p.grad.clone() for name, p in network.named_parameters()}


def save_gradients(rank: int, folder: Path, objects: TrainingObjects) -> None:
    world = World(rank, 2, rank, f"file://{folder}/rendezvous")
    save_file(gradients(world, objects), folder / f"{rank}.safetensors")
    world.leave()


def test_two_processes_average_to_the_gradients_of_one(examples, tmp_path):
    """Half a batch each, with BatchNorm frozen: both have the gradients of the doubled batch."""
    objects = load_objects([examples], [1.0], seed=0)
    torch.multiprocessing.spawn(save_gradients, (tmp_path, objects), nprocs=2)
    expected = gradients(World(), objects)
    for rank in range(2):
        averaged = load_file(tmp_path / f"{rank}.safetensors")
        assert averaged.keys() == expected.keys()
        for name, value in averaged.items():
            largest = float(expected[name].abs().max())
            assert torch.allclose(value, expected[name], rtol=1e-4, atol=1e-5 * largest), name


def test_the_processes_of_a_machine_share_one_draw(examples):
    objects = load_objects([examples], [1.0], seed=0)
    whole = draw_batch(World(), objects, SMALL, step=5).images
    halves = [draw_batch(World(r, 2), objects, SMALL, step=5).images for r in range(2)]
    assert torch.equal(whole, torch.stack(halves, dim=1).flatten(0, 1))


def test_two_processes_train_and_resume(examples, tmp_path):
    for samples in (24, 48):
        config = dataclasses.replace(SMALL, samples=samples)
        launch(load_objects([examples], [1.0], 0), config, RunOptions(tmp_path), processes=2)
    assert (tmp_path / "weights.safetensors").is_file()
    steps = [row["step"] for row in csv.DictReader((tmp_path / "log.csv").open(newline=""))]
    assert steps == ["3", "6"]


def train_command(processes: int | None, data: Path, out: Path, *options: object) -> list[str]:
    """``picosam2 train``, or the same under ``torchrun``."""
    command = [sys.executable, "-m"]
    if processes:
        command += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    batch = () if "--batch" in options else ("--batch", 4)
    arguments = ("train", "--data", data, "--out", out, *batch, "--sizes", "32:1", *options)
    return [*command, "picosam2", *map(str, arguments)]


@pytest.mark.cluster
def test_torchrun_goes_on_with_another_number_of_processes(example_shards, tmp_path):
    """Two processes with a shard each, then one with both, then none of torchrun's."""
    out = tmp_path / "run"
    for processes, samples in ((2, 16), (1, 24), (None, 32)):
        command = train_command(processes, example_shards, out, "--samples", samples)
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    steps = [row["step"] for row in csv.DictReader((out / "log.csv").open(newline=""))]
    assert steps == ["4", "6", "8"]
    record = json.loads((out / "run.json").read_text())
    assert [start["processes"] for start in record["starts"]][:2] == [2, 1]
    assert len(record["data"][0]["image_ids"]) == 4


def test_processes_with_photographs_of_their_own_draw_from_these(example_shards):
    """Of two shards with three photographs and one, each process sees its own."""
    from picosam2.data.source import open_source

    worlds = [World(rank, 2, rank, own_photographs=True) for rank in range(2)]
    parts = [open_source(example_shards, world.part) for world in worlds]
    assert [len(part) for part in parts] == [3, 1]
    names = [p.record.image.file_name for part in parts for p in part]
    assert sorted(names) == sorted(p.record.image.file_name for p in open_source(example_shards))
    folder = [open_source(EXAMPLES, world.part) for world in worlds]
    assert [len(part) for part in folder] == [2, 2]
    for world, part in zip(worlds, parts, strict=True):
        batch = draw_batch(world, load_objects([part], [1.0], 0), SMALL, step=0)
        assert len(batch.images) == SMALL.batch // 2


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--processes", 2), "leave out --processes"),
        (("--batch", 3), "--batch 3 cannot be split over 2 processes"),
    ],
)
def test_what_torchrun_cannot_do_is_refused_in_one_line(example_shards, tmp_path, options, message):
    command = train_command(2, example_shards, tmp_path / "run", *options)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert any(line.startswith("Error: ") and message in line for line in done.stderr.splitlines())
    assert not (tmp_path / "run").exists()

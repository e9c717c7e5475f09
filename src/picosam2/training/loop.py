"""The training loop: one process or several, resumable to the same state."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from picosam2.checkpoint import save_weights
from picosam2.errors import InputError
from picosam2.model import PicoSAM2
from picosam2.training.config import TrainConfig
from picosam2.training.corrections import Players, draw_beginnings, draw_rounds, play
from picosam2.training.crops import Batch, make_batch
from picosam2.training.depthwise import QuickDepthwise
from picosam2.training.log import Log
from picosam2.training.losses import LOSSES, iou_loss, whole_object_iou
from picosam2.training.objects import TrainingObjects
from picosam2.training.optimizers import make_optimizers
from picosam2.training.priors import Rows, open_rows
from picosam2.training.retention import Retention, retain
from picosam2.training.sampler import Prompts, draw_prompts
from picosam2.training.start import Start, first_look
from picosam2.training.state import STATE_FILE, load_state, save_state
from picosam2.training.world import World, keep_freed_memory

WEIGHTS_FILE = "weights.safetensors"
# After this many seconds a run says how long it will take.
PACE_SECONDS = 10.0
# What a stop costs, if a row of the log is not longer.
SAVE_SECONDS = 60
Tensors = tuple[Tensor, ...] | list[Tensor]
Validation = Callable[[PicoSAM2, int], dict[str, float]]


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out; none of these changes what is drawn.

    Args:
        out: folder of the run; all processes need it.
        start: where the first weights come from.
        retention: the networks whose answers are kept.
        log_every: steps between two rows of the log, and what they are the means of.
        save_every: steps between two saved states; a multiple of ``log_every``, so that the rows
            after a stop are as without one. On slow machines every row of the log has one.
        validate_every: steps between two validations.
    """

    out: Path
    start: Start = field(default_factory=Start)
    retention: Retention = field(default_factory=Retention)
    log_every: int = 50
    save_every: int = 100
    validate_every: int = 2000


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to ``final_lr`` of the peak."""
    warmup = max(1, config.warmup_samples // config.batch)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return config.lr * (config.final_lr + (1 - config.final_lr) * cosine)


def describe_pace(rate: float, samples_left: int) -> str:
    """How long a run will take, from the crops a second and the crops to go."""
    minutes = samples_left / rate / 60
    left = f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
    return f"{rate:.0f} crops/s: about {left} to go at this size of crops"


def ema_update(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Exponential moving average whose decay grows from 0, so that the first weights fade."""

    @torch.no_grad()
    def update(averages: Tensors, current: Tensors, count: Tensor | int) -> None:
        if not averages[0].is_floating_point():
            torch._foreach_copy_(averages, current)
            return
        # On the device, where the count is: to ask for it would wait for the step.
        count = torch.as_tensor(count, dtype=torch.float32, device=averages[0].device)
        share = 1 - ((1 + count) / (10 + count)).clamp(max=decay)
        difference = torch._foreach_sub(current, averages)
        torch._foreach_mul_(difference, share)
        torch._foreach_add_(averages, difference)

    return update


@contextlib.contextmanager
def autocast(device: torch.device) -> Iterator[None]:
    """bfloat16 where the hardware multiplies it; where it is emulated, float32 is faster."""
    if device.type == "cuda":
        with torch.autocast("cuda", torch.bfloat16):
            yield
    elif torch.cpu.get_capabilities().get("avx512_bf16"):
        with torch.autocast("cpu", torch.bfloat16), QuickDepthwise():
            yield
    else:
        yield


def compute_loss(
    network: nn.Module, batch: Batch, config: TrainConfig, device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, and the figures to log, each a float32 on the device."""
    with autocast(device):
        images = batch.images.contiguous(memory_format=torch.channels_last)
        logits, iou_logits = network(images, batch.prior)
    logits, iou_logits = logits.float(), iou_logits.float()
    iou = whole_object_iou(logits, batch)
    mask_loss = LOSSES[config.loss](logits, batch).mean()
    predicted_iou_loss = iou_loss(iou_logits, iou).mean()
    figures = {
        "loss": mask_loss.detach(),
        "iou": iou.mean(),
        "iou_error": (iou_logits.detach().sigmoid().flatten() - iou).abs().mean(),
    }
    return mask_loss + config.iou_weight * predicted_iou_loss, figures


def draw_batch(
    world: World,
    objects: TrainingObjects,
    config: TrainConfig,
    step: int,
    players: Players | None = None,
    retained: Sequence[PicoSAM2] = (),
) -> Batch:
    """This process's part of a step's batch.

    Processes that hold the same photographs draw the same prompts and take turns, so that a step
    sees the same crops whatever their number. Those with their own photographs draw from these:
    another number of processes sees other crops.

    Args:
        world: says which part.
        objects: the photographs.
        config: of the run.
        step: which.
        players: where a correcting network is trained.
        retained: networks whose answers are kept.
    """
    size = config.size_at(step)
    draw = draw_beginnings if players else draw_prompts
    if world.own_photographs:
        rng = np.random.default_rng([config.seed, step, world.rank])
        drawn = draw(objects, config.batch // world.size, rng, config.sampler)
    else:
        rng = np.random.default_rng([config.seed, step])
        drawn = draw(objects, config.batch, rng, config.sampler)
        drawn = drawn.part(world.rank, world.size)
    if isinstance(drawn, Prompts):
        batch = make_batch(objects, drawn, size, config.model)
        with autocast(world.device):
            return retain(retained, batch, drawn)
    assert players is not None
    with autocast(world.device):
        return play(players, objects, drawn, draw_rounds(rng), size, config.model)


def train(
    world: World,
    objects: TrainingObjects,
    config: TrainConfig,
    options: RunOptions,
    validation: Validation | None = None,
) -> None:
    """Run or resume a training; called once in every process.

    A resumed run goes on as if it had never stopped: what is drawn depends on (seed, step), see
    :func:`draw_batch`.

    Raises:
        InputError: the state is broken, or not the same for all processes.
    """
    world.join()
    # A CPU's cores have a training process each; beside a GPU they are free.
    free = config.model.takes_prior and world.device.type == "cuda"
    with open_rows(torch.cuda.device_count()) if free else contextlib.nullcontext(Rows()) as rows:
        _train(world, objects, config, options, validation, rows)


def _train(
    world: World,
    objects: TrainingObjects,
    config: TrainConfig,
    options: RunOptions,
    validation: Validation | None,
    rows: Rows,
) -> None:
    device = world.device
    if device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(config.seed)
    state_file = options.out / STATE_FILE
    resume = state_file.is_file()
    network = options.start.network(config.model)
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    objects.to(device)
    players = Players(network, first_look(device), rows) if config.model.takes_prior else None
    retained = options.retention.networks(config.model, device)
    average = AveragedModel(network, multi_avg_fn=ema_update(config.ema_decay), use_buffers=True)
    optimizers = make_optimizers(network, config)
    step = load_state(state_file, network, average, optimizers) if resume else 0
    if len(set(world.gather(step))) > 1:
        raise InputError(f"{options.out} is not the same folder for all processes")
    parallel = world.parallel(network)
    if device.type == "cuda":
        # Half as many milliseconds a step again (docs/training.md), for half a minute at the start.
        torch.backends.cudnn.benchmark = True
        parallel = cast(nn.Module, torch.compile(parallel))
    log = Log(options.out, step) if world.rank == 0 else None
    bar = tqdm(
        total=config.steps,
        initial=step,
        desc="training",
        unit="step",
        disable=log is None,
        mininterval=2,
    )

    def averaged() -> PicoSAM2:
        return cast(PicoSAM2, average.module)

    def save() -> None:
        save_weights(options.out / WEIGHTS_FILE, averaged())
        # The state is the last to be written: what a kill leaves undone, the next run does again.
        save_state(state_file, network, average, optimizers, step)

    sums: dict[str, Tensor] = {}
    last_time, last_step = time.perf_counter(), step
    saved_time = last_time
    # The first step allocates what the others reuse.
    timed_from = step + 1
    pace_told = False
    while step < config.steps:
        lr = learning_rate(config, step)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = lr * group["rate"]
        batch = draw_batch(world, objects, config, step, players, retained)
        loss, figures = compute_loss(parallel, batch, config, device)
        network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        for optimizer in optimizers:
            optimizer.step()
        world.average_statistics(network)
        step += 1
        if log is None:
            continue
        if step == timed_from:
            start_time = time.perf_counter()
        elif not pace_told and time.perf_counter() - start_time > PACE_SECONDS:
            pace_told = True
            rate = (step - timed_from) * config.batch / (time.perf_counter() - start_time)
            bar.write(describe_pace(rate, (config.steps - step) * config.batch), file=sys.stderr)
        average.update_parameters(network)
        bar.update()
        sums = {k: sums[k] + v if sums else v for k, v in figures.items()}
        if step % options.log_every == 0 or step == config.steps:
            count, now = step - last_step, time.perf_counter()
            row: dict[str, Any] = {k: v.item() / count for k, v in sums.items()}
            rate = count * config.batch / (now - last_time)
            size = batch.images.shape[-1]
            row |= {"step": step, "samples": step * config.batch, "size": size}
            log.add(row | {"lr": lr, "samples_per_s": rate})
            bar.set_postfix(
                loss=f"{row['loss']:.3f}", iou=f"{row['iou']:.3f}", rate=f"{rate:.0f}/s"
            )
            sums, last_time, last_step = {}, now, step
        if validation and (step % options.validate_every == 0 or step == config.steps):
            log.validation(step, validation(averaged(), step))
            last_time = time.perf_counter()
        waited = time.perf_counter() - saved_time > SAVE_SECONDS and step % options.log_every == 0
        if step % options.save_every == 0 or step == config.steps or waited:
            save()
            saved_time = time.perf_counter()
    bar.close()
    if log is not None:
        log.writer.close()

"""Short trainings that differ in one thing each, measured on coco-dev: what pays and what does not.

python scripts/tries.py --data ../shared/data --labels labels --out runs/tries

Every try is one process with one thread, from the same seed; ``--workers`` of them run at a time
and read the same photographs in memory. One that was stopped goes on, one that was measured is not
done again. What did not pay is defined
here and nowhere else.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from experiments import (
    GRIDS,
    HUMAN,
    LABELLED,
    OURS,
    PROTOCOLS,
    SECOND,
    TAUGHT,
    Data,
    conditions,
    digests,
    measure,
    run_all,
    short_config,
)
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from picosam2.model import SmallConfig
from picosam2.model.small import SmallNetwork
from picosam2.output import write_json
from picosam2.table import Table
from picosam2.training import crops, loop
from picosam2.training.config import TrainConfig
from picosam2.training.crops import Batch
from picosam2.training.loop import RunOptions, train
from picosam2.training.losses import LOSSES, bce, dice, soft_target, supervised
from picosam2.training.objects import TrainingObjects
from picosam2.training.sampler import Prompts, SamplerConfig, log_uniform
from picosam2.training.start import Start
from picosam2.training.world import World

RESULTS = Path(__file__).parent.parent / "docs" / "results" / "tries.json"


@dataclass(frozen=True)
class Try:
    """One change of the recipe.

    Args:
        title: in the table.
        config: fields of ``TrainConfig``.
        labelled: shares of the folders that the teacher labelled.
        human: shares of the folders of human masks.
        taught_alone: whether objects that only the teacher outlined are drawn.
        prepare: replaces parts of the training before it starts.
        init: what it begins with where no weights are given.
    """

    title: str
    config: dict[str, Any] = field(default_factory=dict)
    labelled: dict[str, float] = field(default_factory=lambda: LABELLED)
    human: dict[str, float] = field(default_factory=lambda: HUMAN)
    taught_alone: bool = True
    prepare: Callable[[], None] = lambda: None
    init: str = "random"


def adamw_alone() -> None:
    """Every parameter by AdamW."""

    def make(network: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
        groups = [
            {"params": [p for p in network.parameters() if p.ndim > 1]},
            {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ]
        decay = config.weight_decay
        return [torch.optim.AdamW(groups, lr=config.lr, weight_decay=decay, fused=True)]

    loop.make_optimizers = make


def add_loss(name: str, loss: Callable[[Tensor, Batch], Tensor]) -> Callable[[], None]:
    """Put a loss into the registry."""
    return lambda: LOSSES.update({name: loss})


def warm_teacher(logits: Tensor, batch: Batch) -> Tensor:
    """``soft`` with the teacher's logits at temperature 2."""
    target = soft_target(dataclasses.replace(batch, teacher=batch.teacher / 2))
    return 0.5 * bce(logits, target) + 0.5 * dice(logits, target)


def teacher_alone(logits: Tensor, batch: Batch) -> Tensor:
    """½ BCE + ½ Dice against the teacher's sigmoids; the mask where it has no usable answer."""
    answered = (batch.teacher_share > 0).float()[:, None, None, None]
    target = torch.lerp(batch.masks, batch.teacher.sigmoid(), answered)
    return 0.5 * bce(logits, target) + 0.5 * dice(logits, target)


def paper_on_logits(logits: Tensor, batch: Batch) -> Tensor:
    """``paper`` with the squared difference of logits, the teacher's clipped to ±8."""
    share = batch.teacher_share
    distance = (logits - batch.teacher).square().mean((1, 2, 3))
    return share * distance + (1 - share) * supervised(logits, batch)


def boundary(logits: Tensor, batch: Batch) -> Tensor:
    """``soft`` whose BCE counts the pixels within two of the mask's edge five times."""
    target = soft_target(batch)
    grown = F.max_pool2d(batch.masks, 5, 1, 2)
    edge = grown + F.max_pool2d(-batch.masks, 5, 1, 2)
    weight = 1 + 4 * edge
    terms = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight
    return 0.5 * terms.sum((1, 2, 3)) / weight.sum((1, 2, 3)) + 0.5 * dice(logits, target)


def focal(logits: Tensor, batch: Batch) -> Tensor:
    """``soft`` with SAM's 20 : 1 of focal loss (γ = 2; arXiv 1708.02002) and Dice."""
    target = soft_target(batch)
    terms = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    terms = terms * (logits.sigmoid() - target).abs().square()
    return (20 * terms.mean((1, 2, 3)) + dice(logits, target)) / 2


def lovasz(logits: Tensor, batch: Batch) -> Tensor:
    """½ BCE against ``soft``'s target + ½ Lovász hinge (arXiv 1705.08790) against the mask."""
    truth = (batch.masks > 0.5).flatten(1).float()
    errors = 1 - logits.flatten(1) * (2 * truth - 1)
    errors, order = errors.sort(descending=True)
    truth = truth.gather(1, order)
    left = truth.sum(1, keepdim=True) - truth.cumsum(1)
    union = truth.sum(1, keepdim=True) + (1 - truth).cumsum(1)
    jaccard = 1 - left / union.clamp(min=1)
    steps = torch.diff(jaccard, prepend=torch.zeros_like(jaccard[:, :1]))
    return 0.5 * bce(logits, soft_target(batch)) + 0.5 * (errors.relu() * steps).sum(1)


def balanced(logits: Tensor, batch: Batch) -> Tensor:
    """``soft`` whose BCE is over as many pixels as the object's twice its area, not the crop's."""
    target = soft_target(batch)
    terms = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    size = (2 * target.sum((1, 2, 3))).clamp(min=64, max=terms[0].numel())
    return 0.5 * terms.sum((1, 2, 3)) / size + 0.5 * dice(logits, target)


def jaccard(logits: Tensor, batch: Batch) -> Tensor:
    """``soft`` with 1 − soft IoU (of p and t: Σpt / Σ(p + t − pt)) for Dice."""
    target = soft_target(batch)
    p = logits.sigmoid()
    overlap = (p * target).sum((1, 2, 3))
    union = (p + target - p * target).sum((1, 2, 3))
    return 0.5 * bce(logits, target) + 0.5 * (1 - (overlap + 1) / (union + 1))


def copy_paste() -> None:
    """Half of the crops get the object of a neighbour pasted in (arXiv 2012.07177)."""
    draw = loop.draw_batch

    def draw_and_paste(*arguments: Any) -> Batch:
        batch = draw(*arguments)
        rng = np.random.default_rng([7, arguments[-1]])
        size = batch.images.shape[-1]
        count = len(batch.images) // 2
        shift = tuple(rng.integers(size // 4, 3 * size // 4, 2).tolist())
        cover = batch.masks.roll(1, 0).roll(shift, (2, 3))
        cover[count:] = 0
        # The object under the click stays.
        middle = slice(size // 2 - 2, size // 2 + 2)
        cover = cover * (cover[:, :, middle, middle].amax((1, 2, 3), keepdim=True) == 0)
        pasted = batch.images.roll(1, 0).roll(shift, (2, 3))
        lost = (batch.masks * cover).sum((1, 2, 3))
        return dataclasses.replace(
            batch,
            images=torch.lerp(batch.images, pasted, cover),
            masks=batch.masks * (1 - cover),
            teacher=torch.lerp(batch.teacher, torch.tensor(-8.0), cover),
            area=batch.area - lost,
        )

    loop.draw_batch = draw_and_paste


def strong_augmentation() -> None:
    """Crops stretched and turned, colours, blur and noise far apart, a fifth on other grounds."""
    cut, recolour = crops.cut_crops, crops.change_colours

    def draws(prompts: Prompts) -> np.random.Generator:
        return np.random.default_rng(prompts.centre.view(np.uint64).ravel())

    def cut_and_change(
        objects: TrainingObjects, prompts: Prompts, size: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        rng, count = draws(prompts), len(prompts.index)
        angle = np.deg2rad(rng.uniform(-30, 30, count)) * (rng.random(count) < 0.5)
        stretch = log_uniform(rng, 0.7**0.5, 0.7**-0.5, count) ** (rng.random(count) < 0.5)
        # A box drawn on a turned or stretched object would be another box.
        free = np.isinf(prompts.box).all(axis=1)
        angle, stretch = np.where(free, angle, 0.0), np.where(free, stretch, 1.0)
        turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=-1)
        turn = turn.reshape(-1, 2, 2) * np.stack([stretch, 1 / stretch], axis=-1)[:, None]
        warp = torch.from_numpy(np.concatenate([turn, np.zeros((count, 2, 1))], axis=-1)).float()
        grid = F.affine_grid(warp, [count, 1, size, size], align_corners=False)
        images, masks, teacher = (
            F.grid_sample(part - low, grid, align_corners=False) + low
            for part, low in zip(cut(objects, prompts, size), (0, 0, -8), strict=True)
        )
        middle = slice(size // 2 - 2, size // 2 + 2)
        shown = masks[:, :, middle, middle].amax((1, 2, 3)) > 0.5
        moved = shown & torch.from_numpy(rng.random(count) < 0.2)
        kept = torch.where(moved[:, None, None, None], masks, 1.0)
        images = torch.lerp(images.roll(1, 0), images, kept)
        return images, masks, torch.where(kept > 0.5, teacher, -8.0)

    def change_more(images: Tensor, prompts: Prompts) -> Tensor:
        rng, count = draws(prompts), len(prompts.index)

        def seldom(share: float, values: NDArray[np.float64], plain: float) -> NDArray[np.float64]:
            some = rng.random(count) < share
            return np.where(some if values.ndim == 1 else some[:, None], values, plain)

        gain = log_uniform(rng, 0.75, 1.3, (count, 1)) * log_uniform(rng, 0.85, 1.18, (count, 3))
        prompts = dataclasses.replace(
            prompts,
            gain=prompts.gain * seldom(0.5, gain, 1.0),
            contrast=prompts.contrast * seldom(0.4, log_uniform(rng, 0.6, 1.4, count), 1.0),
            saturation=prompts.saturation * seldom(0.05, np.zeros(count), 1.0),
        )
        inside = (images > 0).any(1, keepdim=True)
        images = recolour(images, prompts)
        hue = seldom(0.3, rng.uniform(-0.6, 0.6, count), 0.0)[:, None, None]
        across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
        about_grey = np.cos(hue) * np.eye(3) + np.sin(hue) * across + (1 - np.cos(hue)) / 3
        images = torch.einsum("bij,bjhw->bihw", torch.from_numpy(about_grey).float(), images)
        gamma = torch.from_numpy(seldom(0.4, log_uniform(rng, 0.6, 1.6, count), 1.0)).float()
        images = (images / 255).clamp(1e-4, 1) ** gamma[:, None, None, None] * 255
        half = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
        blurred = torch.from_numpy(rng.random(count) < 0.15)
        images = torch.where(blurred[:, None, None, None], half, images)
        noise = torch.from_numpy(seldom(0.15, rng.uniform(2, 14, count), 0.0)).float()
        seed = int(rng.integers(2**31))
        random = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
        return (images + random * noise[:, None, None, None]).clamp(0, 255) * inside

    crops.cut_crops, crops.change_colours = cut_and_change, change_more


class Nothing(nn.Module):
    """Adds nothing where a part of the network was."""

    def forward(self, x: Tensor) -> Tensor:
        """0, whatever ``x`` is."""
        return x.new_zeros(())


def change_small(change: Callable[[SmallNetwork], None]) -> Callable[[], None]:
    """Change every small network after it is made."""

    def prepare() -> None:
        make = SmallNetwork.__init__

        def make_and_change(self: SmallNetwork, *arguments: Any) -> None:
            make(self, *arguments)
            change(self)

        SmallNetwork.__init__ = make_and_change  # type: ignore[method-assign]

    return prepare


def relu_in_decoder(network: SmallNetwork) -> None:
    """ReLU for ReLU6 in all of the decoder."""
    for part in (network.ups, network.detail):
        for module in part.modules():
            if isinstance(module, nn.Sequential) and isinstance(module[-1], nn.ReLU6):
                module[-1] = nn.ReLU(inplace=True)


def without(name: str) -> Callable[[], None]:
    """The part of this name adds nothing to the small network."""
    return change_small(lambda network: setattr(network, name, Nothing()))


# With the second collection: human masks of COCO and of it, less of the others.
MIXED = {"coco-train": 0.50, "coco-boxes": 0.24}
MINOR = SECOND | {
    "duts-train": 0.06,
    "clothing-train": 0.03,
    "cats-train": 0.01,
    "balloon-train": 0.01,
}


def with_grids(title: str, share: float = 0.19, paste: float = 0.0, **options: Any) -> Try:
    """A try of the small network on what the shipped weights have seen.

    Args:
        title: in the table.
        share: of the samples that are from the grids' masks; the others keep their proportions.
        paste: share of crops over which another object is pasted.
        options: of :func:`small`.
    """
    grids = sum(TAUGHT[name] for name in GRIDS)
    others = (1 - share) / (1 - grids)
    labelled = {name: others * part for name, part in TAUGHT.items() if name not in GRIDS}
    if share:
        labelled |= {name: share / grids * TAUGHT[name] for name in GRIDS}
    human = {name: others * part for name, part in OURS.items()}
    return small(title, labelled, human, sampler=SamplerConfig(paste=paste), **options)


def small(
    title: str,
    labelled: dict[str, float] = LABELLED,
    human: dict[str, float] = HUMAN,
    prepare: Callable[[], None] = lambda: None,
    **config: Any,
) -> Try:
    """A try of the small network, with ImageNet's encoder, on crops of 96 pixels."""
    defaults = {
        "model": SmallConfig(),
        "sizes": ((96, 1.0),),
        "lr": 3e-3,
        "sampler": SamplerConfig(box_jitter=0.15),
    }
    return Try(title, defaults | config, labelled, human, prepare=prepare, init="imagenet")


TRIES = {
    "base": Try("nothing"),
    "lr5": Try("learning rate 5e-3", {"lr": 5e-3}),
    "lr20": Try("learning rate 2e-2", {"lr": 2e-2}),
    "adamw2": Try("AdamW alone, 2e-3", {"lr": 2e-3}, prepare=adamw_alone),
    "adamw4": Try("AdamW alone, 4e-3", {"lr": 4e-3}, prepare=adamw_alone),
    "batch16": Try("batch 16", {"batch": 16}),
    "batch64": Try("batch 64", {"batch": 64}),
    "ema998": Try("EMA 0.998 instead of 0.995", {"ema_decay": 0.998}),
    "only96": Try("96 pixels only", {"sizes": ((96, 1.0),)}),
    "upright": Try("no rotation", {"sampler": SamplerConfig(rotation=0.0)}),
    "supervised": Try("`supervised` against the same masks", {"loss": "supervised"}),
    "paper": Try("`paper`", {"loss": "paper"}),
    "paper-logits": Try(
        "`paper`, MSE on logits",
        {"loss": "paper-logits"},
        prepare=add_loss("paper-logits", paper_on_logits),
    ),
    "released": Try("`released`", {"loss": "released"}),
    "human": Try(
        "objects with human masks only", labelled={"coco-train": 0.78}, taught_alone=False
    ),
    "teacher": Try(
        "the teacher's answers for the masks of COCO, where it has usable ones",
        {"loss": "teacher"},
        prepare=add_loss("teacher", teacher_alone),
    ),
    "warm": Try(
        "teacher at temperature 2", {"loss": "warm"}, prepare=add_loss("warm", warm_teacher)
    ),
    "boundary": Try(
        "BCE weighted at the edge", {"loss": "boundary"}, prepare=add_loss("boundary", boundary)
    ),
    "focal": Try("focal loss for BCE", {"loss": "focal"}, prepare=add_loss("focal", focal)),
    "lovasz": Try("Lovász for Dice", {"loss": "lovasz"}, prepare=add_loss("lovasz", lovasz)),
    "balanced": Try(
        "BCE over the object's surroundings",
        {"loss": "balanced"},
        prepare=add_loss("balanced", balanced),
    ),
    "jaccard": Try("soft IoU for Dice", {"loss": "jaccard"}, prepare=add_loss("jaccard", jaccard)),
    "native": Try(
        "native crops 50 %, boxes 20 %, scene 20 %",
        {"sampler": SamplerConfig(native=0.5, box=0.2, scene=0.2)},
    ),
    "paste": Try("copy-paste of objects", prepare=copy_paste),
    # As the paper's code trains, but for its 1,000 steps of warm-up and its crops' centres.
    **{
        f"native-adamw-{loss}": Try(
            f"AdamW alone, 3e-4, batch 8, native crops of 96 pixels alone, {title}",
            {
                "lr": 3e-4,
                "batch": 8,
                "sizes": ((96, 1.0),),
                "sampler": SamplerConfig(native=1.0, box=0.0, scene=0.0),
                "loss": loss,
            },
            {"coco-train": 0.78} if loss == "supervised" else LABELLED,
            taught_alone=loss != "supervised",
            prepare=adamw_alone,
        )
        for loss, title in {
            "supervised": "`supervised` by human masks",
            "paper": "`paper`",
            "released": "`released`",
        }.items()
    },
    # The small network: its blocks, its data, its rates.
    "small": small("`small`: nothing"),
    "small-second": small("`small`: 15 % from the second collection", labelled=MIXED, human=MINOR),
    "small-detail32": small(
        "`small`: 32 channels at full resolution", model=SmallConfig((128, 96, 64, 32))
    ),
    "small-narrow": small(
        "`small`: decoder 96 / 64 / 48 / 16", model=SmallConfig((96, 64, 48, 16))
    ),
    "small-wide": small(
        "`small`: decoder 160 / 112 / 64 / 16", model=SmallConfig((160, 112, 64, 16))
    ),
    "small-3x3": small("`small`: 3×3 in all of the decoder", model=SmallConfig(kernels=(3,) * 4)),
    "small-5x5": small("`small`: 5×5 in all of the decoder", model=SmallConfig(kernels=(5,) * 4)),
    "small-unmarked": small(
        "`small`: no box drawn on its crop", sampler=SamplerConfig(box_jitter=0.15, marked=0.0)
    ),
    "small-relu": small("`small`: ReLU in the decoder", prepare=change_small(relu_in_decoder)),
    "small-no-detail": small(
        "`small`: the photograph itself does not join at full resolution", prepare=without("detail")
    ),
    "small-iou-encoder": small(
        "`small`: predicted IoU from the encoder alone", prepare=without("iou_decoder")
    ),
    "small-iou-decoder": small(
        "`small`: predicted IoU from the decoder alone", prepare=without("iou_encoder")
    ),
    "small-rate6": small("`small`: rate 6e-3", lr=6e-3),
    "small-rate10": small("`small`: rate 1e-2", lr=1e-2),
    "small-encoder1": small("`small`: the encoder at the full rate", encoder_rate=1.0),
    "small-sizes": small("`small`: 60 % at 64 pixels first", sizes=((64, 0.6), (96, 0.4))),
    "small-jitter30": small(
        "`small`: boxes moved by up to 30 %", sampler=SamplerConfig(box_jitter=0.3)
    ),
    "small-grids0": with_grids("`small`: the shipped weights' folders, none of the grids'", 0),
    "small-grids19": with_grids("`small`: 19 % from the grids, as in the shipped weights"),
    "small-grids38": with_grids("`small`: 38 % from the grids", 0.38),
    "small-paste": with_grids("`small`: 19 % from the grids, objects pasted", paste=0.3),
    "small-strong": with_grids(
        "`small`: 19 % from the grids, objects pasted, strong augmentation",
        paste=0.3,
        prepare=strong_augmentation,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="weights to start from, at 96 pixels only")
    parser.add_argument("--lr", type=float, help="[default: 1e-2, or as the try has it]")
    parser.add_argument("--samples", type=int, default=16_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", default=",".join(TRIES))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    # Once: the file may be replaced while this runs.
    arguments.init_sha256 = arguments.init and sha256(arguments.init.read_bytes()).hexdigest()
    names = [name for name in arguments.tries.split(",") if not result(name, arguments).is_file()]
    if names:
        data = Data.load(arguments.data, arguments.labels, arguments.seed)
        steps = (
            [partial(train_one, name, data, arguments), partial(measure_one, name, arguments)]
            for name in names
        )
        run_all(steps, arguments.workers)
    results = [json.loads(path.read_bytes()) for path in arguments.out.glob("*/coco-dev.json")]
    # What was measured before and not again stays in the table.
    measured = {identity(r) for r in results}
    earlier = json.loads(RESULTS.read_bytes())["tries"]
    results += [r for r in earlier if identity(r) not in measured]
    order = list(TRIES)
    results.sort(key=lambda r: (r["init"] or "", r["samples"], order.index(r["try"]), r["seed"]))
    facts = {"data": digests(arguments.data, arguments.labels, ["coco-dev"])}
    write_json(arguments.out / "tries.json", facts | {"tries": results})
    print(table(results).markdown())


def table(results: list[dict[str, Any]]) -> Table:
    """A row a try: mIoU on coco-dev in points."""
    rows = []
    for r in results:
        start = f"weights {r['init'][:8]}" if r["init"] else TRIES[r["try"]].init
        points = (f"{100 * r['miou'][protocol]:.1f}" for protocol in PROTOCOLS)
        facts = [TRIES[r["try"]].title, start, f"{r['config']['lr']:g}", f"{r['samples']:,}"]
        rows.append([*facts, str(r["seed"]), *points])
    heads = ["what is different", "begins with", "rate", "samples", "seed"]
    heads += [f"`{protocol}`" for protocol in PROTOCOLS]
    return Table("mIoU on coco-dev", heads, rows)


def identity(r: dict[str, Any]) -> tuple[Any, ...]:
    """What tells one row from another."""
    return (r["try"], r["init"], r["config"]["lr"], r["samples"], r["seed"])


def result(name: str, arguments: argparse.Namespace) -> Path:
    """Where the figures of a try are."""
    start = arguments.init_sha256[:8] if arguments.init else TRIES[name].init
    rate = configure(name, arguments).lr
    folder = f"{name}-{start}-{rate:g}-{arguments.samples}-{arguments.seed}"
    return Path(arguments.out / folder / "coco-dev.json")


def configure(name: str, arguments: argparse.Namespace) -> TrainConfig:
    """The configuration of a try."""
    config = short_config(arguments.samples, arguments.seed, 1e-2, "soft")
    if arguments.init:
        config = dataclasses.replace(config, sizes=((96, 1.0),))
    config = dataclasses.replace(config, **TRIES[name].config)
    return dataclasses.replace(config, lr=arguments.lr) if arguments.lr else config


def train_one(name: str, data: Data, arguments: argparse.Namespace) -> None:
    """Train one try in this process, or go on with it."""
    attempt = TRIES[name]
    attempt.prepare()
    objects = data.mixed({**attempt.labelled, **attempt.human}, attempt.taught_alone)
    start = Start(str(arguments.init or attempt.init))
    options = RunOptions(result(name, arguments).parent, start)
    train(World(), objects, configure(name, arguments), options)


def measure_one(name: str, arguments: argparse.Namespace) -> None:
    """Measure a trained try."""
    TRIES[name].prepare()
    out = result(name, arguments)
    figures = measure(out.parent, arguments.data, "coco-dev", ("fp32",))["fp32"]
    record = {
        "try": name,
        "init": arguments.init_sha256,
        "config": configure(name, arguments).to_dict(),
        "samples": arguments.samples,
        "seed": arguments.seed,
        "miou": {protocol: figures[protocol]["miou"] for protocol in PROTOCOLS},
        **conditions(),
    }
    write_json(out, record)


if __name__ == "__main__":
    main()

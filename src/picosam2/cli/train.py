"""The verb ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from picosam2.cli.base import NATURAL, PATH, POSITIVE, exif_option, leaving_out, strict_option

if TYPE_CHECKING:
    from picosam2.data.header import Exif


@click.command()
@click.option(
    "--data",
    "data",
    required=True,
    multiple=True,
    metavar="DIR[:SHARE]",
    help="Folder in COCO format, and its share of the samples (default: by its objects). Repeat.",
)
@click.option("--out", required=True, type=PATH, help="Folder of the run.")
@click.option("--samples", type=POSITIVE, default=300_000, show_default=True, help="Crops to see.")
@click.option("--batch", type=POSITIVE, default=32, show_default=True, help="Crops a step.")
@click.option(
    "--lr",
    default=2e-3,
    show_default=True,
    help="Peak learning rate.",
)
@click.option(
    "--sizes",
    default="48:.13,64:.52,96:.35",
    show_default=True,
    metavar="SIDE:SHARE,...",
    help="Crop sides in pixels, in order, and their shares of the samples.",
)
@click.option(
    "--prompts",
    default="native:.3,box:.3,scene:.25",
    show_default=True,
    metavar="KIND:SHARE,...",
    help="Shares of crops of 96 native pixels, of boxes and of clicks at any scale; the rest are "
    "clicks at the object's scale.",
)
@click.option(
    "--paste",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of crops over which another object is pasted.",
)
@click.option(
    "--loss",
    default="supervised",
    show_default=True,
    help="supervised; or, with labels by picosam2 label: paper, released or soft.",
)
@click.option("--seed", type=NATURAL, default=0, show_default=True)
@click.option(
    "--init",
    default="imagenet",
    show_default=True,
    help="What to begin with: imagenet (an encoder that has seen ImageNet), random, the package's "
    "weights by name (small, paper, correcting), or a file by picosam2 train.",
)
@click.option(
    "--family",
    type=click.Choice(["small", "paper", "correcting"]),
    help="The network.  [default: what --init is; else small]",
)
@click.option(
    "--retain",
    multiple=True,
    metavar="WEIGHTS",
    help="Weights, as for --init, whose answers are half of the target of crops without a drawn "
    "box, with --loss soft. Repeat: their mean.",
)
@click.option("--val", type=PATH, help="Folder to validate on now and then.")
@click.option("--processes", type=POSITIVE, help="Worker processes.  [default: one a core or GPU]")
@exif_option
@strict_option
def train(
    data: tuple[str, ...],
    out: Path,
    samples: int,
    batch: int,
    lr: float,
    sizes: str,
    prompts: str,
    paste: float,
    loss: str,
    seed: int,
    init: str,
    family: str | None,
    retain: tuple[str, ...],
    val: Path | None,
    processes: int | None,
    exif: Exif,
    strict: bool,
) -> None:
    """Train the network on annotated photographs.

    Run the same command again to go on after a stop; another --samples then stretches or shortens
    the schedule. The result is OUT/weights.safetensors; OUT/left-out.jsonl says what of the data
    is broken.
    """
    from picosam2.model import FAMILIES
    from picosam2.training.config import TrainConfig, parse_prompts, parse_sizes
    from picosam2.training.retention import Retention
    from picosam2.training.run import run_training
    from picosam2.training.start import Start
    from picosam2.weights import DEFAULT_MODEL

    sampler = parse_prompts(prompts, paste)
    config = TrainConfig(
        samples,
        batch,
        parse_sizes(sizes),
        lr,
        loss=loss,
        seed=seed,
        sampler=sampler,
        model=FAMILIES[family or DEFAULT_MODEL].config(),
    )
    with leaving_out(strict) as problems:
        start, retention = Start(init, family), Retention(retain)
        run_training(data, out, config, start, val, processes, problems, exif, retention)

"""The command line: one verb a capability; PyTorch is imported only by the verbs that need it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from picosam2.errors import InputError
from picosam2.weights import DEFAULT_MODEL

POSITIVE = click.IntRange(min=1)
NATURAL = click.IntRange(min=0)


class _BadInput(click.ClickException):
    exit_code = 2


class _Cli(click.Group):
    """Bad input and missing extras are one line and exit code 2, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            message = str(error)
        except ModuleNotFoundError as error:
            package = (error.name or "").split(".")[0]
            extra = {"onnx": "export"}.get(package, "train")
            if package == "picosam2":
                raise
            message = f"this command needs {package}: pip install 'picosam2[{extra}]'"
        except OSError as error:
            message = f"{error.filename or 'input/output'}: {error.strerror or error}"
        raise _BadInput(" ".join(message.split()))


def _floats(count: int) -> Callable[..., tuple[float, ...] | None]:
    """A click callback that reads ``count`` numbers separated by commas."""

    def parse(_: click.Context, __: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != count:
            raise click.BadParameter(f"give {count} numbers separated by commas, not {value!r}")
        return numbers

    return parse


def _say(message: str) -> None:
    click.echo(message, err=True)


weights_option = click.option(
    "--weights",
    default=DEFAULT_MODEL,
    show_default=True,
    help="int8 or fp32 (in the package), or an .onnx or .safetensors file.",
)
threads_option = click.option(
    "--threads", type=NATURAL, default=0, show_default="all cores", help="CPU threads."
)


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="picosam2")
def main() -> None:
    """Segment any object from one click, on any small device."""


@main.command()
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "--point", callback=_floats(2), metavar="X,Y", help="A click on the object, in pixels."
)
@click.option("--box", callback=_floats(4), metavar="X0,Y0,X1,Y1", help="A box around the object.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the pictures.  [default: .]"
)
@click.option("--json", "json_file", metavar="FILE", help="Write the mask as JSON; - for stdout.")
@weights_option
@threads_option
def segment(
    photo: Path,
    point: tuple[float, ...] | None,
    box: tuple[float, ...] | None,
    out: Path | None,
    json_file: str | None,
    weights: str,
    threads: int,
) -> None:
    """Segment the object under a click or in a box of PHOTO.

    Writes PHOTO.mask.png (255 is object) and PHOTO.overlay.png. With --json, the mask is written
    as COCO RLE with its bbox, area and predicted IoU, and the pictures only where --out is given.
    Coordinates are those of the upright photograph.
    """
    from picosam2.images import load_image
    from picosam2.output import mask_record, write_json, write_pictures
    from picosam2.predictor import Predictor

    if (point is None) == (box is None):
        raise InputError("give one prompt: --point X,Y or --box X0,Y0,X1,Y1")
    predictor = Predictor.from_pretrained(weights, threads=threads)
    image = load_image(photo)
    start = time.perf_counter()
    predictor.set_image(image)
    points = None if point is None else [point]
    masks, scores, _ = predictor.predict(points, box=box, multimask_output=False)
    milliseconds = (time.perf_counter() - start) * 1000
    if json_file is None or out is not None:
        for name, path in write_pictures(out or Path(), photo.stem, image, masks[0], point, box):
            _say(f"{name}: {path}")
    if json_file is not None:
        write_json(json_file, mask_record(masks[0], float(scores[0])) | {"image": photo.name})
    _say(
        f"predicted IoU {scores[0]:.2f}, {masks[0].sum()} pixels, {milliseconds:.0f} ms "
        f"in {predictor.forward_passes} forward passes"
    )


@main.command("eval")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Folder in COCO format."
)
@click.option("--protocol", default="crop96,click,box", show_default=True, help="Comma-separated.")
@click.option(
    "--json", "json_file", metavar="FILE", help="Write the figures as JSON; - for stdout."
)
@click.option("--limit", type=POSITIVE, help="Measure only N objects.")
@click.option(
    "--seed", type=NATURAL, default=0, show_default=True, help="Of --limit and intervals."
)
@weights_option
@threads_option
def evaluate(
    data: Path,
    protocol: str,
    json_file: str | None,
    limit: int | None,
    seed: int,
    weights: str,
    threads: int,
) -> None:
    """Measure the masks on annotated photographs.

    Protocols: crop96 (the paper's crop), paper96 (as the paper's code cuts it), click and box (the
    whole image).
    """
    from picosam2.dataset import CocoFolder
    from picosam2.evaluation.run import evaluate as run
    from picosam2.output import write_json
    from picosam2.predictor import Predictor

    predictor = Predictor.from_pretrained(weights, threads=threads)
    names = [name.strip() for name in protocol.split(",") if name.strip()]
    report = run(CocoFolder(data), names, predictor, limit, seed)
    for name, figures in report["protocols"].items():
        low, high = figures["ci95"]
        sizes = ", ".join(
            f"{size} {part['miou'] * 100:.1f} ({part['n']})"
            for size, part in figures["by_size"].items()
            if part["n"]
        )
        _say(
            f"{name:8} mIoU {figures['miou'] * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}]  "
            f"mAP {figures['map'] * 100:.1f}  n {figures['n']}  {sizes}"
        )
    if json_file is not None:
        write_json(json_file, report | {"command": sys.argv[1:]})


@main.command()
@click.option(
    "--data",
    "data",
    required=True,
    multiple=True,
    metavar="DIR[:SHARE]",
    help="Folder in COCO format, and its share of the samples (default: by its objects). Repeat.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--samples", type=POSITIVE, default=300_000, show_default=True, help="Crops to see.")
@click.option("--batch", type=POSITIVE, default=32, show_default=True, help="Crops a step.")
@click.option(
    "--lr",
    default=2e-3,
    show_default=True,
    help="Peak learning rate.",
)
@click.option("--seed", type=NATURAL, default=0, show_default=True)
@click.option(
    "--init", type=click.Path(path_type=Path), help="Weights to start from (safetensors)."
)
@click.option("--val", type=click.Path(path_type=Path), help="Folder to validate on now and then.")
@click.option("--processes", type=POSITIVE, help="Worker processes.  [default: one a core]")
def train(
    data: tuple[str, ...],
    out: Path,
    samples: int,
    batch: int,
    lr: float,
    seed: int,
    init: Path | None,
    val: Path | None,
    processes: int | None,
) -> None:
    """Train the network on annotated photographs.

    Run the same command again to go on after a stop; another --samples then stretches or shortens
    the schedule. The result is OUT/weights.safetensors.
    """
    from picosam2.training.config import TrainConfig
    from picosam2.training.run import run_training

    config = TrainConfig(samples=samples, batch=batch, lr=lr, seed=seed)
    run_training(data, out, config, init, val, processes)


@main.command()
@click.argument("target", type=click.Choice(["onnx", "onnx-int8"]))
@click.option(
    "--weights", required=True, type=click.Path(path_type=Path), help="A .safetensors file."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="Folder in COCO format whose crops set the ranges of onnx-int8.",
)
@click.option(
    "--seed", type=NATURAL, default=0, show_default=True, help="Of the calibration crops."
)
def export(target: str, weights: Path, out: Path, calibration: Path | None, seed: int) -> None:
    """Export weights to TARGET, with a JSON file beside it that describes the tensors."""
    from picosam2.dataset import CocoFolder
    from picosam2.export.onnx import export_fp32, export_int8

    if target == "onnx":
        export_fp32(weights, out)
    elif calibration is None:
        raise InputError("onnx-int8 needs --calibration DIR, a folder in COCO format")
    else:
        export_int8(weights, out, CocoFolder(calibration), seed)
    _say(f"{target}: {out} ({out.stat().st_size / 1e6:.2f} MB)")

"""The verb ``export``."""

from __future__ import annotations

from pathlib import Path

import click

from picosam2.cli.base import NATURAL, say
from picosam2.errors import InputError


@click.command()
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
    from picosam2.data.source import open_source
    from picosam2.export.onnx import export_fp32, export_int8

    if target == "onnx":
        export_fp32(weights, out)
    elif calibration is None:
        raise InputError("onnx-int8 needs --calibration DIR, a folder in COCO format")
    else:
        export_int8(weights, out, open_source(calibration), seed)
    say(f"{target}: {out} ({out.stat().st_size / 1e6:.2f} MB)")

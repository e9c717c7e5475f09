"""``python -m picosam2.integrations.x_anylabeling FOLDER``."""

from __future__ import annotations

from pathlib import Path

import click

from picosam2.cli.base import PATH, Program, say
from picosam2.weights import DEFAULT_MODEL, check_name


@click.command(cls=Program)
@click.argument("folder", type=PATH)
@click.option("--weights", default=DEFAULT_MODEL, show_default=True, help="Or an .onnx file.")
def main(folder: Path, weights: str) -> None:
    """Write a model for X-AnyLabeling into a new FOLDER; it loads the .yaml as a custom model."""
    from picosam2.integrations.x_anylabeling.model import DESCRIPTION, write_model

    check_name(weights)
    write_model(weights, folder)
    say(f"{folder / DESCRIPTION}: load it in X-AnyLabeling as a custom model")


if __name__ == "__main__":
    main(prog_name="python -m picosam2.integrations.x_anylabeling")

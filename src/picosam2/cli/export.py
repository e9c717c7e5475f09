"""The verb ``export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from picosam2.cli.base import NATURAL, PATH, exif_option, leaving_out, say, strict_option
from picosam2.errors import InputError
from picosam2.export.targets import TARGETS
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL, FAMILIES, check_name, weights_path

if TYPE_CHECKING:
    from picosam2.data.header import Exif

LOSSY = 3
MAX_DROP = 1.0
TITLES = "\n".join(f"  {name:16} {target.title}" for name, target in TARGETS.items())


NAMED = (*FAMILIES, CORRECTING_MODEL)


@click.command(epilog="\b\nTargets:\n" + TITLES)
@click.argument("target", type=click.Choice(list(TARGETS)))
@click.option(
    "--weights",
    default=DEFAULT_MODEL,
    show_default=True,
    help=f"{', '.join(NAMED)} (in the package), or a .safetensors file.",
)
@click.option(
    "--out",
    type=PATH,
    show_default="exported/TARGET",
    help="The new folder.",
)
@click.option(
    "--calibration",
    metavar="DIR",
    help="Photographs with masks whose crops set the ranges of INT8.  [default: bundled ones]",
)
@click.option(
    "--verify",
    metavar="DIR",
    help="Photographs with masks to measure mIoU beside fp32's on.  "
    "[default: compare masks on the bundled ones]",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(min=0),
    show_default="1",
    help="With --verify: most points of mIoU to lose; beyond, the exit code is 3.",
)
@click.option("--seed", type=NATURAL, default=0, show_default=True, help="Of crops and objects.")
@exif_option
@strict_option
@click.option(
    "--accelerator", metavar="NAME", help="ethos-u: Vela's name.  [default: ethos-u55-256]"
)
@click.option("--system-config", metavar="NAME", help="ethos-u: a section of Vela's Arm/vela.ini.")
@click.option("--memory-mode", metavar="NAME", help="ethos-u: a section of Vela's Arm/vela.ini.")
@click.option(
    "--optimise", type=click.Choice(["Performance", "Size"]), help="ethos-u: what Vela aims at."
)
def export(
    target: str,
    weights: str,
    out: Path | None,
    calibration: str | None,
    verify: str | None,
    max_drop: float | None,
    seed: int,
    exif: Exif,
    strict: bool,
    **vela: str | None,
) -> None:
    """Export weights to TARGET, run the result beside fp32, and describe it in a JSON file."""
    # First of all, since what it lacks is told best here.
    TARGETS[target].load()
    from picosam2.data.source import open_source
    from picosam2.export.run import export_model

    options: dict[str, Any] = {}
    given = {name: value for name, value in vela.items() if value is not None}
    if target == "ethos-u":
        from picosam2.export.ethos_u import VelaConfig

        options["config"] = VelaConfig(**given)
    elif given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{names}: for ethos-u only")
    if max_drop is not None and verify is None:
        raise InputError("--max-drop needs --verify DIR, photographs to measure mIoU on")
    if calibration and not TARGETS[target].int8:
        raise InputError(f"--calibration: {target} is not quantised")
    check_name(weights)
    out = out or Path("exported") / target
    with leaving_out(strict) as shown, leaving_out(strict) as measured:
        sidecar = export_model(
            target,
            weights_path(weights) if weights in NAMED else Path(weights),
            out,
            open_source(calibration, problems=shown, exif=exif) if calibration else None,
            open_source(verify, problems=measured, exif=exif) if verify else None,
            MAX_DROP if max_drop is None else max_drop,
            seed,
            **options,
        )
    say(describe_export(out, sidecar))
    if not sidecar["verification"]["passed"]:
        say("the loss is beyond what is accepted: calibrate on photographs like yours, or train")
        sys.exit(LOSSY)


def describe_export(out: Path, sidecar: dict[str, Any]) -> str:
    """What was made and how good it is, for people."""
    found = sidecar["verification"]
    lines = [f"{out / sidecar['model']}: {sidecar['bytes'] / 1e6:.2f} MB"]
    if sidecar.get("calibration", {}).get("bundled_photographs"):
        lines.append("calibrated on four bundled photographs: --calibration DIR does better")
    lines.append(
        f"masks beside fp32's on {found['crops']} crops: IoU {found['mask_iou']:.3f}, mean "
        f"absolute logit difference {found['logit_error']:.3f} ({found['ran']})"
    )
    for name, miou in found.get("miou", {}).items():
        fp32 = found["fp32_miou"][name]
        lines.append(f"{name}: {100 * miou:.1f} mIoU, fp32 {100 * fp32:.1f}")
    return "\n".join(lines)

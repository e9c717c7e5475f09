"""What the command line writes: masks as PNG and COCO RLE, figures as JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.rle import encode_mask, rle_area, rle_bbox
from picosam2.files import replacing
from picosam2.overlay import draw_overlay


def mask_record(mask: NDArray[np.bool_], score: float) -> dict[str, Any]:
    """A mask as COCO has it: compressed RLE, bbox (x, y, width, height), area and score."""
    rle = encode_mask(mask)
    return {
        "segmentation": {"size": list(rle.size), "counts": rle.counts},
        "bbox": list(rle_bbox(rle)),
        "area": rle_area(rle),
        "score": score,
    }


def write_pictures(
    folder: Path,
    photo: str,
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    point: Sequence[float] | None,
    box: Sequence[float] | None,
) -> Iterator[tuple[str, Path]]:
    """Write ``PHOTO.mask.png`` (0 and 255) and ``PHOTO.overlay.png``; give their names and paths.

    Named after the photograph's whole file name: ``a.jpg`` and ``a.png`` are two photographs.
    """
    # One after the other: each needs memory.
    pictures: dict[str, Callable[[], Image.Image]] = {
        "mask": lambda: Image.fromarray(mask.view(np.uint8) * np.uint8(255)),
        "overlay": lambda: draw_overlay(image, mask, point, box),
    }
    for name, draw in pictures.items():
        path = folder / f"{photo}.{name}.png"
        save_png(draw(), path)
        yield name, path


def save_png(picture: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all, compressed in a third of the time that Pillow takes."""
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: str | Path, content: Any) -> None:
    """Write JSON to a file, whole or not at all, or to stdout where the target is ``-``."""
    text = json.dumps(content, indent=None if str(target) == "-" else 1)
    if str(target) == "-":
        click.echo(text)
        return
    write_text(Path(target), text + "\n")

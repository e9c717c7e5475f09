"""Files of results, written whole or not at all: pictures, text and JSON."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import click
from PIL import Image

from picosam2.files import replacing


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
    if str(target) == "-":
        click.echo(json.dumps(content))
        return
    write_text(Path(target), json_text(content))


def json_text(content: Any) -> str:
    """A JSON file's text."""
    return json.dumps(content, indent=1) + "\n"

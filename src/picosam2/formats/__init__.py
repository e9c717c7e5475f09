"""What masks are written as: the formats by name."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from picosam2.formats.base import Format, Target

# Opened by name: some need packages that not everybody has.
FORMATS = {
    "rle": "rle:RleFormat",
    "coco": "coco:CocoFormat",
    "yolo-seg": "yolo:YoloFormat",
    "labelme": "labelme:LabelmeFormat",
    "png": "png:PngFormat",
    "cutout": "cutout:CutoutFormat",
}


def open_format(name: str, target: Target) -> Format:
    """A format's writer.

    Args:
        name: one in ``FORMATS``.
        target: where to, and how.

    Raises:
        ModuleNotFoundError: a package of the extra ``formats`` is missing.
    """
    opened: Format = pkgutil.resolve_name(f"picosam2.formats.{FORMATS[name]}")(target)
    return opened

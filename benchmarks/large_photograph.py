"""Memory and CPU time of `picosam2 segment` on a large photograph, with pictures and JSON.

Each kind of file in a process of its own, whose highest resident memory is given as a multiple of
the photograph's own height × width × 3 bytes; the modules and the network count too:

    python benchmarks/large_photograph.py --megapixels 100
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from picosam2.examples import EXAMPLES

PHOTO = EXAMPLES / "images" / "coffee.jpg"
# The cup, as shares of the width and the height.
CLICK = (0.5, 0.3)
SIDEWAYS = 6
# The process itself says what it needed: what its parent is told begins with the parent's memory.
COMMAND = """
from picosam2.cli import main
main(standalone_mode=False)
from picosam2.evaluation.memory import peak_resident_bytes
print(peak_resident_bytes())
"""


def rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    return exif


def deep(photo: Image.Image) -> Image.Image:
    """12-bit values in 16 bits."""
    return Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 16)


def write_deep_colour(photo: Image.Image, path: Path) -> None:
    """16 bits a value, which Pillow cannot write."""
    import cv2

    values = np.asarray(photo)[..., ::-1].astype(np.uint16) * 257
    cv2.imwrite(str(path), values, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def floats(photo: Image.Image) -> Image.Image:
    """Values beyond 0..1: black and white are looked for."""
    return Image.fromarray(np.asarray(photo.convert("L")).astype(np.float32) * 3)


# PNG at its fastest: only writing these takes longer otherwise.
KINDS: dict[str, Callable[[Image.Image, Path], None]] = {
    "photo.jpg": lambda photo, path: photo.save(path, quality=90),
    "sideways.jpg": lambda photo, path: photo.save(path, quality=90, exif=rotated()),
    "photo.png": lambda photo, path: photo.save(path, compress_level=1),
    "transparent.png": lambda photo, path: photo.convert("RGBA").save(path, compress_level=1),
    "cmyk.tif": lambda photo, path: photo.convert("CMYK").save(path),
    "12-bit.png": lambda photo, path: deep(photo).save(path, compress_level=1),
    "16-bit.png": write_deep_colour,
    "float.tif": lambda photo, path: floats(photo).save(path),
    "photo.avif": lambda photo, path: photo.save(path, speed=10),
    "photo.webp": lambda photo, path: photo.save(path, method=0),
}


def measure(photo: Path, size: tuple[int, int], out: Path) -> tuple[float, int]:
    """CPU seconds and the highest resident memory in bytes of one command in its own process."""
    x, y = (round(share * side) for share, side in zip(CLICK, size, strict=True))
    command = [sys.executable, "-c", COMMAND, "segment", str(photo), "--point", f"{x},{y}"]
    command += ["--out", str(out), "--json", str(out / "mask.json"), "--threads", "1"]
    start = cpu_seconds()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return cpu_seconds() - start, int(done.stdout)


def cpu_seconds() -> float:
    """Of the processes that have ended: other work on the machine does not count."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--kinds", default=",".join(KINDS), help="Comma-separated.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Image.open(PHOTO) as small:
        folder = Path(name)
        height = round((arguments.megapixels * 1e6 * small.height / small.width) ** 0.5)
        size = (round(height * small.width / small.height), height)
        own = size[0] * size[1] * 3
        print(f"{size[0]}×{size[1]}: {own / 1e6:.0f} MB of pixels")
        photo = small.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        for kind in arguments.kinds.split(","):
            KINDS[kind](photo, folder / kind)
        del photo
        for kind in arguments.kinds.split(","):
            shown = size[::-1] if kind == "sideways.jpg" else size
            seconds, peak = measure(folder / kind, shown, folder)
            figures = f"{peak / 1e6:6.0f} MB  {peak / own:4.2f} × its pixels  {seconds:5.2f} CPU s"
            print(f"{kind:16} {figures}")


if __name__ == "__main__":
    main()

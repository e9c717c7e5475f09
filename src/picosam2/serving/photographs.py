"""Uploaded photographs: decoded from memory, and kept there for a while."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.importers.masks import mask_of_picture
from picosam2.data.problems import BrokenError
from picosam2.errors import InputError
from picosam2.formats.base import Photograph
from picosam2.images import open_image
from picosam2.pixels import to_rgb
from picosam2.serving.config import ServingConfig
from picosam2.serving.refusals import Refused

# Pillow reads more from files of one's own; some of that runs other programs (EPS) or is obscure.
Image.init()
KINDS = tuple(
    kind
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
    if kind in Image.OPEN
)


def decode_photograph(content: bytes, name: str, config: ServingConfig) -> Photograph:
    """A photograph from a file's content, upright, as ``picosam2.images.load_image`` reads it.

    Args:
        content: of the file.
        name: what results call it.
        config: its ``megapixels`` are checked before any pixel is decoded.

    Raises:
        Refused: 413 too many pixels; 415 of no kind that is read here; 422 damaged.
    """
    pixels = _decode(content, name, config, lambda image: to_rgb(image, name=name, consume=True))
    # So that the predictor needs no copy of its own.
    pixels.setflags(write=False)
    return Photograph(Path(name), name, pixels)


def decode_mask(content: bytes, size: tuple[int, int], config: ServingConfig) -> NDArray[np.bool_]:
    """A mask from a picture's content: H×W bool.

    Args:
        content: of the file, as ``picosam2 segment --mask`` reads it.
        size: H, W of its photograph in pixels.
        config: as of ``decode_photograph``.

    Raises:
        Refused: as ``decode_photograph``, or it is of another size than its photograph.
    """

    def read(image: Image.Image) -> NDArray[np.bool_]:
        if image.size != size[::-1]:
            found, wanted = ("×".join(map(str, pair)) for pair in (image.size, size[::-1]))
            raise Refused(422, f"the photograph is {wanted} pixels, its mask is {found}")
        try:
            return mask_of_picture(image, "mask")
        except BrokenError as error:
            raise Refused(422, str(error)) from None

    return _decode(content, "mask", config, read)


def _decode(
    content: bytes, name: str, config: ServingConfig, read: Callable[[Image.Image], NDArray[Any]]
) -> NDArray[Any]:
    try:
        with open_image(io.BytesIO(content), name, KINDS) as image:
            if image.width * image.height > config.megapixels * 1e6:
                raise Refused(
                    413,
                    f"{name} has {image.width}×{image.height} pixels; the limit is "
                    f"{config.megapixels:g} megapixels: reduce it first",
                )
            return read(image)
    except Refused:
        raise
    except InputError as error:
        raise Refused(415, str(error)) from None
    # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise Refused(422, f"cannot read the image {name}: {error}") from None


class KeptPhotographs:
    """Photographs in memory that can be asked about again, for a while; of one thread.

    Args:
        seconds: how long.
        megabytes: of their pixels together; the oldest go first, the newest stays.
        clock: seconds, of any beginning.
    """

    def __init__(self, seconds: float, megabytes: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most_bytes = megabytes * 1e6
        self._clock = clock
        # In the order of their coming.
        self._kept: dict[str, tuple[float, Photograph]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, photograph: Photograph, name: str | None = None) -> str:
        """Keep one; give what to ask for: a name that cannot be guessed, or the one given."""
        name = name or secrets.token_urlsafe(16)
        self._kept.pop(name, None)
        self._kept[name] = self._clock(), photograph
        self.forget()
        return name

    def get(self, name: str) -> Photograph | None:
        """The photograph of that name; None where it is not kept any more, or never was."""
        self.forget()
        return self._kept[name][1] if name in self._kept else None

    def forget(self) -> None:
        """Let go those whose time is over, and the oldest where all need too much memory."""
        oldest = self._clock() - self._seconds
        size = sum(photograph.pixels.nbytes for _, photograph in self._kept.values())
        for name, (since, photograph) in list(self._kept.items()):
            too_much = size > self._most_bytes and len(self._kept) > 1
            if since > oldest and not too_much:
                break
            del self._kept[name]
            size -= photograph.pixels.nbytes

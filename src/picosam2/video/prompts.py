"""What is asked about a video on the command line, and files of such prompts."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.importers.masks import mask_of_picture
from picosam2.data.problems import BrokenError
from picosam2.errors import InputError
from picosam2.images import open_image


class VideoPrompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said about an object in a frame.

    Args:
        frame: its number, from 0 on.
        object: any number that the object is to have, of a mask with several the first one's; None
            for 1, and for the numbers in the picture of a mask.
        points: x, y of clicks in pixels.
        labels: 1 (on the object) or 0 of each; 1 by default.
        box: x0, y0, x1, y1.
        mask: file of a mask as a picture; instead of the others.
    """

    frame: int = 0
    object: int | None = None
    points: list[tuple[float, float]] = []
    labels: list[int] | None = None
    box: tuple[float, float, float, float] | None = None
    mask: str | None = None


def read_prompt_file(path: Path) -> list[VideoPrompt]:
    """A JSON file with a list of prompts, as :class:`VideoPrompt` has them.

    Raises:
        InputError: it is missing or damaged, or has none.
    """
    try:
        # Not strict: numbers may be written as 0.0. json takes a byte order mark.
        given = json.loads(path.read_bytes())
        prompts = msgspec.convert(given, list[VideoPrompt], strict=False)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read the prompts {path}: {error}") from None
    if not prompts:
        raise InputError(f"{path} has no prompts")
    for prompt in prompts:
        if prompt.mask is None and not prompt.points and prompt.box is None:
            raise InputError(f"{path}: a prompt needs points, a box or a mask")
    return [
        msgspec.structs.replace(prompt, mask=str(path.parent / prompt.mask))
        if prompt.mask is not None
        else prompt
        for prompt in prompts
    ]


def read_object_masks(path: Path, size: tuple[int, int]) -> dict[int, NDArray[np.bool_]]:
    """The masks in a picture: of one with a palette each number but 0 is an object, as in DAVIS.

    Args:
        path: of the picture.
        size: H, W of the video in pixels.

    Returns:
        H×W bool of each number; of another picture one, 1, as :func:`importers.masks.read_mask`
        reads it.

    Raises:
        InputError: it is missing, damaged, empty, of another size, or its values are not a mask's.
    """
    try:
        with open_image(path, path.name) as image:
            if image.size != size[::-1]:
                (width, height), (h, w) = image.size, size
                raise InputError(f"the mask {path} is {width}×{height}, the video {w}×{h}")
            masks = _object_masks(image, path.name)
    except InputError:
        raise
    except BrokenError as error:
        raise InputError(str(error)) from None
    # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise InputError(f"cannot read the mask {path}: {error}") from None
    if not masks:
        raise InputError(f"the mask {path} is empty")
    return masks


def _object_masks(image: Image.Image, name: str) -> dict[int, NDArray[np.bool_]]:
    if image.mode != "P":
        mask = mask_of_picture(image, name)
        return {1: mask} if mask.any() else {}
    values = np.asarray(image)
    return {int(number): values == number for number in np.unique(values) if number}

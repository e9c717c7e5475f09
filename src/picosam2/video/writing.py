"""What is written of a tracked video: overlays, masks as DAVIS has them, JSON, cut-outs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.rle import decode_rle, rle_area, rle_bbox, rle_json
from picosam2.data.schema import Rle
from picosam2.errors import InputError
from picosam2.files import new_folder, replacing
from picosam2.output import write_json
from picosam2.video.frames import Frames, import_av

Masks = Mapping[int, Mapping[int, Rle]]

# The highest number of an object in a PNG with a palette.
MOST_OBJECTS = 255
# Red, green and blue of the objects: DAVIS's palette, which begins with black for none.
PALETTE = [
    tuple(
        sum(((index >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3))
        for channel in range(3)
    )
    for index in range(256)
]
DIMMED, TINTED = 0.75, 0.55
# Of MPEG: it divides all common frame rates.
TIME_BASE = Fraction(1, 90_000)
FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".webm": "webm", ".mov": "mov"}
# Codec and layout of the pixels by suffix: of an overlay, and of a cut-out, which has alpha.
OVERLAYS = dict.fromkeys(FORMATS, ("libx264", "yuv420p"))
OVERLAYS[".webm"] = ("libvpx-vp9", "yuv420p")
CUTOUTS = {".webm": ("libvpx-vp9", "yuva420p"), ".mov": ("prores_ks", "yuva444p10le")}
# Pixels at the edge of a cut-out over which it fades.
SOFT = 2


def write_masks(masks: Masks, frames: Frames, folder: Path) -> None:
    """A PNG with a palette a frame, ``00000.png`` on: 0 is none, N the object of that number.

    Args:
        masks: of each object, 1 to ``MOST_OBJECTS``, and frame.
        frames: the video.
        folder: a new one.

    Raises:
        InputError: the folder is not empty, or cannot be written.
    """
    with new_folder(folder) as temporary:
        for number in range(len(frames)):
            picture = Image.fromarray(_numbered(masks, number, frames.size))
            picture.putpalette([value for colour in PALETTE for value in colour])
            picture.save(temporary / f"{number:05d}.png")


def write_coco(masks: Masks, scores: Mapping[int, float], frames: Frames, path: str) -> None:
    """One JSON file as YouTube-VIS has it: an annotation an object, with a mask or null a frame.

    Args:
        masks: of each object and frame.
        scores: mean predicted IoU of each object in 0..1.
        frames: the video.
        path: of the file; ``-`` is standard output.
    """
    height, width = frames.size
    annotations = []
    for name, found in masks.items():
        rles = [_if_any(found.get(number)) for number in range(len(frames))]
        annotations.append(
            {
                "id": name,
                "video_id": 1,
                "category_id": 1,
                "iscrowd": 0,
                "segmentations": [rle and rle_json(rle) for rle in rles],
                "bboxes": [rle and list(rle_bbox(rle)) for rle in rles],
                "areas": [rle and rle_area(rle) for rle in rles],
                "score": round(scores[name], 4),
            }
        )
    video = {"id": 1, "width": width, "height": height, "length": len(frames)}
    times = [round(frames.time(number), 4) for number in range(len(frames))]
    write_json(
        path,
        {
            "videos": [video | {"times": times}],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "object"}],
        },
    )


def write_overlay(masks: Masks, frames: Frames, path: Path) -> Iterator[int]:
    """The video with the objects tinted, and its sound: H.264, or VP9 in ``.webm``.

    Args:
        masks: of each object and frame.
        frames: the video.
        path: of the file (``.mp4``, ``.mkv``, ``.mov``, ``.webm``).

    Yields:
        The number of each frame that is written.

    Raises:
        InputError: PyAV is missing, or the file cannot be written.
    """
    yield from _write(masks, frames, path, overlay_codec(path), _tint, sound=True)


def write_cutout(masks: Masks, frames: Frames, path: Path) -> Iterator[int]:
    """The objects on a transparent ground: VP9 in ``.webm``, or ProRes 4444 in ``.mov``.

    The arguments and errors are those of ``write_overlay``; another suffix is an error.
    """
    yield from _write(masks, frames, path, cutout_codec(path), _cut_out, sound=False)


def overlay_codec(path: Path) -> tuple[str, str]:
    """Codec and layout of the pixels of an overlay.

    Raises:
        InputError: the suffix is of another kind of file.
    """
    if path.suffix.lower() not in OVERLAYS:
        raise InputError(f"{path.name}: give a name that ends in {', '.join(OVERLAYS)}")
    return OVERLAYS[path.suffix.lower()]


def cutout_codec(path: Path) -> tuple[str, str]:
    """Codec and layout of the pixels of a cut-out; raises as ``overlay_codec`` does."""
    if path.suffix.lower() not in CUTOUTS:
        raise InputError(f"a cut-out has an alpha channel: give a .webm or .mov, not {path.name}")
    return CUTOUTS[path.suffix.lower()]


def _write(
    masks: Masks,
    frames: Frames,
    path: Path,
    kind: tuple[str, str],
    draw: Any,
    sound: bool,
) -> Iterator[int]:
    av = import_av()
    codec, layout = kind
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(replacing(path))
        container_format = FORMATS[path.suffix.lower()]
        out = stack.enter_context(av.open(str(temporary), "w", format=container_format))
        stream = out.add_stream(codec, rate=frames.rate.limit_denominator(60_000))
        height, width = frames.size
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = layout
        stream.codec_context.sample_aspect_ratio = frames.pixel_aspect
        stream.codec_context.time_base = TIME_BASE
        copied = _copy_sound(av, frames, path, out, stack) if sound else iter(())
        waiting = next(copied, None)
        previous = -1
        for number, pixels in frames.play():
            shown = _even(draw(pixels, masks, number))
            name = "rgb24" if shown.shape[2] == 3 else "rgba"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format=name)
            # Times of variable frame rates are kept; none is shown twice at once.
            previous = frame.pts = max(previous + 1, round(frames.time(number) / TIME_BASE))
            frame.time_base = TIME_BASE
            out.mux(stream.encode(frame))
            while waiting is not None and float(waiting.dts * waiting.time_base) <= frame.time:
                out.mux(waiting)
                waiting = next(copied, None)
            yield number
        out.mux(stream.encode(None))
        while waiting is not None:
            out.mux(waiting)
            waiting = next(copied, None)


def lost_sound(frames: Frames, path: Path) -> str | None:
    """The kind of a video's sound where a file cannot hold it; None where there is nothing to lose.

    Args:
        frames: the video.
        path: of the file, whose suffix says what kind it is.
    """
    if frames.file is None:
        return None
    av = import_av()
    with av.open(str(frames.file)) as container:
        if not container.streams.audio:
            return None
        source = container.streams.audio[0]
        if source.codec_context is None:
            return "unknown"
        try:
            # Some kinds of files refuse a sound only when they are closed.
            with av.open(io.BytesIO(), "w", format=FORMATS[path.suffix.lower()]) as trial:
                target = trial.add_stream_from_template(source)
                for packet in container.demux(source):
                    if packet.dts is not None:
                        packet.stream = target
                        trial.mux(packet)
                        break
        except (av.FFmpegError, ValueError):
            return str(source.codec_context.name)
    return None


def _copy_sound(
    av: Any, frames: Frames, path: Path, out: Any, stack: contextlib.ExitStack
) -> Iterator[Any]:
    """The packets of a video's first sound track, as they are, while its frames are shown."""
    if frames.file is None or lost_sound(frames, path) is not None:
        return iter(())
    container = stack.enter_context(av.open(str(frames.file)))
    if not container.streams.audio:
        return iter(())
    source = container.streams.audio[0]
    target = out.add_stream_from_template(source)
    end = frames.begin + Fraction(frames.time(len(frames) - 1)) + 1 / frames.rate

    def packets() -> Iterator[Any]:
        with contextlib.suppress(av.FFmpegError):
            for packet in container.demux(source):
                if packet.dts is None or packet.pts is None:
                    continue
                time = packet.dts * packet.time_base
                if time >= end:
                    return
                if time >= frames.begin:
                    # The first frame is written at 0.
                    before = round(frames.begin / packet.time_base)
                    packet.pts, packet.dts = packet.pts - before, packet.dts - before
                    packet.stream = target
                    yield packet

    return packets()


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """With an even number of rows and columns, the last one again: colour is kept for two."""
    height, width = picture.shape[:2]
    if not (height % 2 or width % 2):
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _tint(pixels: NDArray[np.uint8], masks: Masks, number: int) -> NDArray[np.uint8]:
    """H×W×3: the rest dimmed, each object in its colour."""
    ids = _numbered(masks, number, (pixels.shape[0], pixels.shape[1]))
    colours = np.array(PALETTE, np.float32)[ids]
    values = pixels.astype(np.float32)
    shown = np.where(ids[..., None] > 0, TINTED * values + (1 - TINTED) * colours, DIMMED * values)
    return shown.astype(np.uint8)


def _cut_out(pixels: NDArray[np.uint8], masks: Masks, number: int) -> NDArray[np.uint8]:
    """H×W×4: all objects, with soft edges."""
    from scipy import ndimage

    ids = _numbered(masks, number, (pixels.shape[0], pixels.shape[1]))
    alpha = ndimage.uniform_filter((ids > 0).astype(np.float32), SOFT)
    return np.dstack([pixels, np.rint(255 * alpha).astype(np.uint8)])


def _numbered(masks: Masks, number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """H×W: 0 is none, N the object of that number; beyond the palette its colours come again."""
    result = np.zeros(size, np.uint8)
    for name, found in masks.items():
        rle = found.get(number)
        if rle is not None:
            result[decode_rle(rle)] = (name - 1) % MOST_OBJECTS + 1
    return result


def _if_any(rle: Rle | None) -> Rle | None:
    return rle if rle is not None and rle_area(rle) else None

"""Frames of a video file or a folder of pictures, in either direction, read as they are needed."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.errors import InputError
from picosam2.images import SUFFIXES, load_image
from picosam2.installation import how_to_install
from picosam2.levels import Range
from picosam2.pixels import array_to_rgb

Image8 = NDArray[np.uint8]
# Twice an 8K frame: what a file says of its size costs no more memory than that.
MOST_PIXELS = 1 << 26


class Frames(ABC):
    """The frames of one source, numbered from 0.

    Attributes:
        size: H, W in pixels of the first frame, upright.
        rate: frames a second; of pictures 24.
        file: the video file, which may have sound; None of pictures.
        begin: seconds in the file at which the first frame is shown.
        pixel_aspect: how wide a pixel is shown for its height.
    """

    size: tuple[int, int]
    rate: Fraction = Fraction(24)
    file: Path | None = None
    begin: Fraction = Fraction(0)
    pixel_aspect: Fraction = Fraction(1)

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def play(self, start: int = 0, reverse: bool = False) -> Iterator[tuple[int, Image8]]:
        """Number and pixels (H×W×3 uint8 RGB) of each frame from ``start`` on.

        Raises:
            InputError: one cannot be read, or is of another size than the first.
        """

    def read(self, number: int) -> Image8:
        """One frame.

        Raises:
            InputError: as ``play``, or there is no such frame.
        """
        if not 0 <= number < len(self):
            raise InputError(f"there is no frame {number}: the video has {len(self)}")
        return next(pixels for _, pixels in self.play(number))

    def time(self, number: int) -> float:
        """When a frame is shown, in seconds from the first."""
        return float(number / self.rate)


def open_frames(path: str | Path, value_range: Range | None = None) -> Frames:
    """A video file, or a folder of pictures by name.

    Args:
        path: which.
        value_range: the values that become black and white.

    Raises:
        InputError: there is nothing to play, or PyAV is needed and not installed.
    """
    path = Path(path)
    if path.is_dir():
        return PictureFrames(path, value_range)
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    return VideoFrames(path, value_range)


class PictureFrames(Frames):
    """A folder of pictures by name, the numbers in names by their value: 9 is before 10.

    Hidden files, such as macOS puts beside others, are passed over.
    """

    def __init__(self, folder: Path, value_range: Range | None = None) -> None:
        files = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        ]
        if not files:
            raise InputError(f"{folder} has no images: give a folder of images or a video")
        self.files = sorted(files, key=_with_numbers)
        self._range = value_range
        self.size = load_image(self.files[0], value_range).shape[:2]

    def __len__(self) -> int:
        return len(self.files)

    def play(self, start: int = 0, reverse: bool = False) -> Iterator[tuple[int, Image8]]:
        """See ``Frames``."""
        for number in _numbers(start, len(self), reverse):
            pixels = load_image(self.files[number], self._range)
            _check_size(self.files[number].name, pixels, self.size)
            yield number, pixels


class VideoFrames(Frames):
    """A video file, by PyAV: frames turned as its metadata says, of any frame rate.

    Which frames there are is read from the file's packets, without decoding; reverse play decodes
    one group of pictures at a time. Frames are known by their times; where a file has none, or only
    those of decoding, they are counted from the first.
    """

    def __init__(self, path: Path, value_range: Range | None = None) -> None:
        self.path = self.file = path
        self._range = value_range
        self._av = import_av()
        with self._open() as container:
            stream = self._stream(container)
            self._find_frames(container, stream)
            self.pixel_aspect = Fraction(stream.sample_aspect_ratio or 1)
            stored_size = stream.height, stream.width
        if not self._times:
            raise InputError(f"{path} has no frame that can be read")
        self._number = {pts: number for number, pts in enumerate(self._times)}
        self.size = (1, 1)
        first = next(self._decode(0), None)
        if first is None:
            raise InputError(f"{path} has no frame that can be decoded")
        self.size = first[1].shape[:2]
        self.begin = self._times[0] * self._base
        if self.size != stored_size:
            # A quarter turn.
            self.pixel_aspect = 1 / self.pixel_aspect

    def __len__(self) -> int:
        return len(self._times)

    def time(self, number: int) -> float:
        """See ``Frames``."""
        return float((self._times[number] - self._times[0]) * self._base)

    def play(self, start: int = 0, reverse: bool = False) -> Iterator[tuple[int, Image8]]:
        """See ``Frames``."""
        if not reverse:
            for number, pixels in self._decode(start):
                _check_size(f"{self.path.name}, frame {number}", pixels, self.size)
                yield number, pixels
            return
        last = start
        while last >= 0:
            # The group of pictures that the frame is in.
            first = max((k for k in self._keys if k <= self._times[last]), default=self._times[0])
            group = []
            for number, pixels in self._decode(self._number[first]):
                if number > last:
                    break
                group.append((number, pixels))
            if not group:
                return
            for number, pixels in reversed(group):
                _check_size(f"{self.path.name}, frame {number}", pixels, self.size)
                yield number, pixels
            last = group[0][0] - 1

    def _find_frames(self, container: Any, stream: Any) -> None:
        """Rate and times of the frames, and which are key frames, from the file's packets."""
        packets = [
            (packet.pts, bool(packet.is_keyframe))
            for packet in self._packets(container, stream)
            if packet.size
        ]
        rate = stream.average_rate or stream.guessed_rate or Fraction(24)
        self._base = Fraction(stream.time_base)
        timed = [(pts, is_key) for pts, is_key in packets if pts is not None]
        timeless = bool(packets) and not timed
        if timeless:
            # Of a bare stream the average rate is what FFmpeg assumes, 25.
            rate = stream.guessed_rate or rate
            timed = [(place, is_key) for place, (_, is_key) in enumerate(packets)]
            self._base = 1 / Fraction(rate)
        self.rate = Fraction(rate)
        self._times = sorted(pts for pts, _ in timed)
        self._keys = sorted(pts for pts, is_key in timed if is_key)
        # AVI has no times of frames that are shown in another order than they are stored in.
        reordered = container.format.name == "avi" and stream.codec_context.has_b_frames
        in_order = self._times == [pts for pts, _ in timed]
        self._counted = timeless or bool(reordered and in_order)

    def _decode(self, start: int) -> Iterator[tuple[int, Image8]]:
        """Frames in order, from a number on."""
        av = self._av
        with self._open() as container:
            stream = self._stream(container)
            stream.thread_type = "AUTO"
            told = -1
            try:
                if start and not self._counted:
                    container.seek(self._times[start], stream=stream, backward=True)
                for count, frame in enumerate(container.decode(stream)):
                    number = count if self._counted else self._number.get(frame.pts)
                    # What lies before a damaged place may come again, or without its time.
                    if number is None or number <= told or frame.is_corrupt:
                        continue
                    told = number
                    if number >= start:
                        yield number, self._pixels(frame)
            except av.FFmpegError as error:
                if told < 0:
                    raise InputError(f"{self.path} cannot be decoded: {error.strerror}") from None
                raise InputError(
                    f"{self.path} is damaged after frame {told}: {error.strerror}"
                ) from None

    def _pixels(self, frame: Any) -> Image8:
        pixels = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), _turns(frame)))
        return array_to_rgb(pixels, self._range, str(self.path))

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            container = self._av.open(str(self.path))
        # Names and comments in it that are no UTF-8, for some versions of PyAV.
        except (self._av.FFmpegError, OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{self.path} is not a video that can be read: {reason}") from None
        with container:
            yield container

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        """Those that can be read: what is cut off ends there."""
        try:
            yield from container.demux(stream)
        except self._av.FFmpegError:
            return

    def _stream(self, container: Any) -> Any:
        if not container.streams.video:
            raise InputError(f"{self.path} has no picture, only sound: give a video")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise InputError(f"{self.path} is of a kind that PyAV cannot decode: convert it first")
        if stream.width * stream.height > MOST_PIXELS:
            raise InputError(
                f"{self.path} is {stream.width}×{stream.height}; the limit is "
                f"{MOST_PIXELS // 10**6} megapixels a frame: reduce it first"
            )
        # Frames may be larger than the file's head says.
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        return stream


def _with_numbers(path: Path) -> tuple[list[str | int], str]:
    """What names are sorted by: their text and numbers in turns, as text comes first."""
    parts = re.split("([0-9]+)", path.stem)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], path.name


def import_av() -> Any:
    """PyAV.

    Raises:
        InputError: it is not installed.
    """
    try:
        import av
    except ModuleNotFoundError:
        raise InputError(
            f"a video needs PyAV: {how_to_install('video')}, or give a folder of images"
        ) from None
    # Not set_level: its callback takes the interpreter's lock, and decoding threads wait for it.
    av.logging.set_libav_level(av.logging.PANIC)
    return av


def _turns(frame: Any) -> int:
    """Quarter turns, counter-clockwise, that make a frame upright."""
    degrees: float = frame.rotation
    return round(degrees / 90) % 4


def _numbers(start: int, count: int, reverse: bool) -> range:
    return range(start, -1, -1) if reverse else range(start, count)


def _check_size(name: str, pixels: Image8, size: tuple[int, int]) -> None:
    if pixels.shape[:2] != size:
        height, width = pixels.shape[:2]
        raise InputError(
            f"{name} is {width}×{height}, the first frame {size[1]}×{size[0]}: "
            "give frames of one size"
        )

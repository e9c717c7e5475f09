"""One photograph after another: read, segmented, written, and let go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from picosam2.data.problems import Kind
from picosam2.data.rle import rle_area
from picosam2.errors import InputError
from picosam2.formats.base import Format, Found, Photograph
from picosam2.images import load_image
from picosam2.levels import Range
from picosam2.segmenting.photos import PhotoFile
from picosam2.segmenting.prompts import Prompts

if TYPE_CHECKING:
    from picosam2.predictor import Predictor


def segment_photographs(
    photos: Sequence[PhotoFile],
    prompts: Mapping[str, Prompts],
    value_range: Range | None,
    tools: Callable[[], tuple[Predictor, Sequence[Format]]],
    refuse: Callable[[Kind, PhotoFile, InputError], None],
    say: Callable[[str], None],
) -> None:
    """Segment photographs and write what is found in each before the next is read.

    Args:
        photos: which.
        prompts: of each photograph, by its name.
        value_range: the values that become black and white.
        tools: opens the predictor and the formats, of which only the first may need logits; called
            once, when the first photograph is in memory: decoding some large ones needs most.
        refuse: called with a photograph or prompt that cannot be used, and why.
        say: called with a line for people.

    Raises:
        InputError: no photograph can be segmented, or a result cannot be written.
    """
    opened: tuple[Predictor, Sequence[Format]] | None = None
    segmented = 0
    for photo in photos:
        try:
            image = load_image(photo.path, value_range)
        except InputError as error:
            refuse(Kind.DAMAGED, photo, error)
            continue
        # So that the predictor needs no copy of its own.
        image.setflags(write=False)
        from picosam2.segmenting.answers import usable

        asked = usable(
            prompts[photo.name],
            (image.shape[0], image.shape[1]),
            lambda error, photo=photo: refuse(Kind.PROMPT, photo, error),  # type: ignore[misc]
        )
        if asked is None:
            continue
        if opened is None:
            opened = tools()
            for form in opened[1]:
                form.check([photo.name for photo in photos])
        corners = [box.corners for box in asked.boxes]
        shown = Photograph(photo.path, photo.name, image, asked.points, asked.labels, corners)
        _segment_one(*opened, shown, asked, say)
        segmented += 1
    if opened is None or not segmented:
        raise InputError("no photograph could be segmented: each is left out, as named above")
    for form in opened[1]:
        _tell(form.finish(), say)


def _segment_one(
    predictor: Predictor,
    formats: Sequence[Format],
    photo: Photograph,
    prompts: Prompts,
    say: Callable[[str], None],
) -> None:
    from picosam2.segmenting.answers import answer

    first, *others = formats
    found = _Kept(answer(predictor, photo, prompts, first.needs_logits))
    _tell(first.add(photo, found), say)
    for form in others:
        _tell(form.add(photo, found.kept), say)
    spent = f"{1000 * found.seconds:.0f} ms"
    if first.target.numbered:
        say(f"{photo.name}: {len(found.kept)} objects in {spent}")
        return
    (one,) = found.kept
    name = "" if first.target.lone else f"{photo.name}: "
    say(
        f"{name}predicted IoU {one.score:.2f}, {rle_area(one.rle)} pixels, "
        f"{spent} in {predictor.forward_passes} forward passes"
    )


class _Kept:
    """Hands on what is found, and keeps it without its logits for the next format."""

    def __init__(self, found: Iterator[Found]) -> None:
        self.kept: list[Found] = []
        self.seconds = 0.0
        self._found = found

    def __iter__(self) -> Iterator[Found]:
        start = time.perf_counter()
        for found in self._found:
            # The time that writing takes is not the predictor's.
            self.seconds += time.perf_counter() - start
            self.kept.append(replace(found, logits=None))
            yield found
            start = time.perf_counter()
        self.seconds += time.perf_counter() - start


def _tell(written: Iterator[tuple[str, Path]], say: Callable[[str], None]) -> None:
    for what, path in written:
        say(f"{what}: {path}")

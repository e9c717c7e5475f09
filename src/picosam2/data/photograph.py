"""One photograph with its annotated objects: what training and evaluation read."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from picosam2.data.rle import box_iou, decode_rle, rle_bbox
from picosam2.data.schema import Annotation, Record, TeacherMask
from picosam2.data.soft import TILE, decode_tiles
from picosam2.errors import InputError
from picosam2.images import open_image
from picosam2.pixels import to_rgb

MIN_TEACHER_IOU = 0.75
MIN_TEACHER_STABILITY = 0.75
MIN_TEACHER_BOX_IOU = 0.6

Box = tuple[float, float, float, float]


class Blob(Protocol):
    """Bytes that lie somewhere."""

    def read(self) -> bytes:
        """All of them."""

    def __str__(self) -> str:
        """Where they lie, for messages."""


@dataclass(frozen=True)
class Photograph:
    """One photograph with its annotated objects.

    Args:
        record: its size, names and objects.
        encoded: its JPEG (or any other image) file.
        soft: the tiles of the teacher's logits, where a teacher has labelled it.
        upright: whether it is annotated as EXIF turns it, and not as it is stored.
    """

    record: Record
    encoded: Blob
    soft: Blob | None = None
    upright: bool = False

    @property
    def image_id(self) -> int:
        """Id of the image where it came from."""
        return self.record.image.image_id

    @property
    def width(self) -> int:
        """In pixels, as annotated."""
        return self.record.image.width

    @property
    def height(self) -> int:
        """In pixels, as annotated."""
        return self.record.image.height

    @property
    def native_scale(self) -> float:
        """Stored size / original size; 1 where the photograph was not reduced."""
        original = self.record.image.original_size
        return self.width / original[0] if original else 1.0

    @property
    def objects(self) -> list[Annotation]:
        """The objects that have a mask; a teacher's only where it is sure of it."""
        return [a for a in self.record.annotations if a.segmentation is not None and is_sure(a)]

    def load(self) -> NDArray[np.uint8]:
        """The pixels, H×W×3 uint8 RGB.

        EXIF's rotation is applied where the masks are drawn on the ``upright`` photograph.

        Raises:
            InputError: the file is missing or broken, or its size is not the annotated one.
        """
        try:
            with open_image(io.BytesIO(self.encoded.read()), str(self.encoded)) as image:
                pixels = to_rgb(image, self.upright, name=str(self.encoded), consume=True)
        # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
        except Exception as error:
            raise InputError(f"cannot read the photograph {self.encoded}: {error}") from None
        if pixels.shape[:2] != (self.height, self.width):
            raise InputError(
                f"{self.encoded} is {pixels.shape[1]}×{pixels.shape[0]} but its annotation says "
                f"{self.width}×{self.height}: repair the annotation file"
            )
        return pixels

    def soft_tiles(self) -> NDArray[np.uint8]:
        """The teacher's logits around its objects, N×64×64 uint8; empty without labels.

        Raises:
            InputError: they are damaged.
        """
        if self.soft is None:
            return np.zeros((0, TILE, TILE), np.uint8)
        try:
            return decode_tiles(self.soft.read())
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the soft targets {self.soft}: {error}") from None

    def mask(self, annotation: Annotation) -> NDArray[np.bool_]:
        """The mask of one of ``objects``, H×W bool."""
        if annotation.segmentation is None:
            raise ValueError(f"annotation {annotation.id} has no mask")
        return decode_rle(annotation.segmentation)


def is_sure(answer: Annotation | TeacherMask) -> bool:
    """Whether a mask is good enough to train on; a human's always is.

    A teacher's is where its predicted IoU and stability are high enough and, if it answers to a
    box, its extent is about that box (docs/labelling.md has what this leaves out).
    """
    iou, stability = answer.predicted_iou, answer.stability_score
    if iou is None or stability is None:
        return True
    if iou < MIN_TEACHER_IOU or stability < MIN_TEACHER_STABILITY:
        return False
    box = _as_xywh(answer.box) if isinstance(answer, TeacherMask) else answer.bbox
    if box is None or answer.segmentation is None:
        return True
    return box_iou(rle_bbox(answer.segmentation), box) >= MIN_TEACHER_BOX_IOU


def _as_xywh(box: Box | None) -> Box | None:
    return box and (box[0], box[1], box[2] - box[0], box[3] - box[1])

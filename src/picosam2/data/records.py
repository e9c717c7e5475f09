"""Records as JSON: read with every check, written the same way every time."""

from __future__ import annotations

import msgspec

from picosam2.data.rle import check_rle
from picosam2.data.schema import Record


def decode_record(content: bytes) -> Record:
    """Read and check one JSON file of a shard.

    Raises:
        ValueError: not JSON, not this schema, or values that contradict each other; one line.
    """
    try:
        record = msgspec.json.decode(content, type=Record)
    except ValueError as error:
        raise ValueError(f"its record is broken: {error}") from None
    check_record(record)
    return record


def encode_record(record: Record) -> bytes:
    """The JSON of a record; equal records give equal bytes."""
    return msgspec.json.encode(record)


def check_record(record: Record) -> None:
    """Refuse a record whose values contradict each other.

    Raises:
        ValueError: a size that is none, a box that is none, or a mask that does not fit.
    """
    image = record.image
    for name, (width, height) in (
        ("size", (image.width, image.height)),
        ("original size", image.original_size or (1, 1)),
    ):
        if not (0 < width < 10**6 and 0 < height < 10**6):
            raise ValueError(f"image {image.image_id} has an {name} of {width}×{height} pixels")
    for annotation in record.annotations:
        if not all(abs(v) < 10**7 for v in annotation.bbox) or min(annotation.bbox[2:]) < 0:
            raise ValueError(f"annotation {annotation.id} has the box {list(annotation.bbox)}")
        for mask in [annotation.segmentation, *(t.segmentation for t in annotation.teacher)]:
            if mask is not None:
                try:
                    check_rle(mask, image.height, image.width)
                except ValueError as error:
                    raise ValueError(f"annotation {annotation.id}: {error}") from None

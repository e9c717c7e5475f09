"""The forms and answers as the page of the interface (OpenAPI) shows them."""

from __future__ import annotations

from typing import Any

from picosam2.serving.asked import EVERYTHING
from picosam2.serving.refusals import CODES
from picosam2.serving.uploads import MULTIPART

DESCRIPTION = (
    "Segments objects in photographs from clicks, boxes and masks. Coordinates are pixels of the "
    "upright photograph. Answers are those of `picosam2 segment --json`."
)

_RECORD = {
    "type": "object",
    "required": ["segmentation", "bbox", "area", "score", "image"],
    "properties": {
        "segmentation": {
            "type": "object",
            "description": "COCO's compressed run-length encoding",
            "properties": {
                "size": {"type": "array", "items": {"type": "integer"}, "description": "H, W"},
                "counts": {"type": "string"},
            },
        },
        "bbox": {
            "type": "array",
            "items": {"type": "number"},
            "description": "x, y, width, height in pixels",
        },
        "area": {"type": "integer", "description": "pixels"},
        "score": {"type": "number", "description": "the predicted IoU, 0 to 1"},
        "image": {"type": "string", "description": "the photograph's file name"},
    },
}
_RECORDS = {"type": "array", "items": _RECORD}
_REFUSAL = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "status": {"type": "integer"},
                "code": {"type": "string", "enum": list(CODES.values())},
                "message": {"type": "string"},
            },
        }
    },
}
_PHOTOGRAPH: dict[str, Any] = {
    "image": {"type": "string", "format": "binary", "description": "a photograph"},
    "image_id": {
        "type": "string",
        "description": "instead of image: the header Image-Id of an earlier answer",
    },
}
_PROMPTS: dict[str, Any] = {
    "points": {"type": "string", "description": "clicks on one object", "example": "[[320, 240]]"},
    "labels": {
        "type": "string",
        "description": "1 (on the object) or 0 (not on it) for each point; without: all 1",
        "example": "[1]",
    },
    "box": {"type": "string", "description": "x0, y0, x1, y1", "example": "[100, 80, 400, 300]"},
    "boxes": {"type": "string", "description": "one or several; the answer is a list"},
    "mask": {
        "type": "string",
        "format": "binary",
        "description": "a mask of the photograph's size, which the clicks correct; without clicks "
        "it is answered anew as a whole",
    },
}
_OPTIONS: dict[str, Any] = {
    name: {"type": "string", "description": f"{low:g} to {high:g}"}
    for name, (_, low, high) in EVERYTHING.items()
}


def _form(properties: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    refusals = (401, 404, 408, 413, 415, 422, 429, 504)
    return {
        "requestBody": {
            "required": True,
            "content": {MULTIPART: {"schema": {"type": "object", "properties": properties}}},
        },
        "responses": {
            "200": {"description": "masks", "content": {"application/json": {"schema": answer}}},
            **{
                str(status): {
                    "description": CODES[status],
                    "content": {"application/json": {"schema": _REFUSAL}},
                }
                for status in refusals
            },
        },
    }


SEGMENT_FORM = _form(_PHOTOGRAPH | _PROMPTS, {"oneOf": [_RECORD, _RECORDS]})
EVERYTHING_FORM = _form(_PHOTOGRAPH | _OPTIONS, _RECORDS)

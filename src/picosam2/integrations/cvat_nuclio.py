"""CVAT's serverless functions (nuclio): a mask from clicks and a box, asked over HTTP.

``cvat_nuclio.yaml`` beside this file deploys it; CVAT's own command line needs no server of this
kind (``cvat_clicks``).
"""

from __future__ import annotations

import base64
import io
import json
from typing import Any

from picosam2.errors import InputError
from picosam2.images import open_image
from picosam2.integrations.cvat_prompts import predictor_arguments
from picosam2.pixels import to_rgb
from picosam2.predictor import Predictor


def init_context(context: Any) -> None:
    """Load the network once for all requests of a worker.

    Args:
        context: nuclio's; ``user_data`` keeps the predictor.
    """
    context.user_data.predictor = Predictor.from_pretrained(threads=1)


def handler(context: Any, event: Any) -> Any:
    """Answer one request of CVAT's interactors.

    Args:
        context: nuclio's.
        event: its ``body`` has ``image`` (a photograph in base64), ``pos_points`` and
            ``neg_points`` ([[x, y], ...] in pixels) and may have ``obj_bbox`` ([[x0, y0],
            [x1, y1]], or the four numbers).

    Returns:
        nuclio's response: 200 with ``mask``, H×W of 0 and 1; 400 with ``error``, one line.
    """
    try:
        mask = _segment(context.user_data.predictor, event.body)
    except InputError as error:
        context.logger.warn(str(error))
        return _response(context, {"error": str(error)}, 400)
    return _response(context, {"mask": mask}, 200)


def _response(context: Any, body: dict[str, Any], status: int) -> Any:
    return context.Response(
        body=json.dumps(body), headers={}, content_type="application/json", status_code=status
    )


def _segment(predictor: Predictor, asked: Any) -> list[list[int]]:
    """The mask's rows."""
    try:
        content = base64.b64decode(asked["image"], validate=True)
        positive, negative = (asked.get(name) or [] for name in ("pos_points", "neg_points"))
        prompts = predictor_arguments(positive, negative, asked.get("obj_bbox") or None)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"not what CVAT sends: {error!r}") from None
    try:
        with open_image(io.BytesIO(content), "the image") as image:
            pixels = to_rgb(image)
    except InputError:
        raise
    # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise InputError(f"the image is damaged: {error}") from None
    predictor.set_image(pixels)
    masks, _, _ = predictor.predict(**prompts)
    rows: list[list[int]] = masks[0].astype(int).tolist()
    return rows

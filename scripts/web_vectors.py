"""What the page's port of the predictor is tested against, from the bundled photographs.

    python scripts/web_vectors.py web/tests/vectors

Each session is a conversation with the Python predictor: what was asked, every crop and prior that
the networks were shown, what they said, and what was answered. Searches for everything and objects
followed through frames are written alike. The page's tests give the same answers in the networks'
place, so that only the code around them is compared; other tests show the same crops to the
networks in WebAssembly.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2 import Predictor, Tracker, TrackerConfig
from picosam2.automatic import AutomaticMaskGenerator
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.predictor.asking import Asking
from picosam2.predictor.drawing import draw_mask
from picosam2.predictor.prompts import Box, Click, GivenMask, Prompt
from picosam2.predictor.readings import Reading
from picosam2.prompt import Crop, cut, look_up, paste
from picosam2.runtime import Corrector, Runtime
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL

CROPS = (
    (0.5, 0.5, 96.0),
    (0.3, 0.6, 40.5),
    (0.9, 0.1, 211.3),
    (0.02, 0.97, 24.0),
    (0.5, 0.4, 900.0),
)
CLICKS = {
    "astronaut.jpg": ((398.0, 427.0), (215.5, 120.25), (5.0, 500.0)),
    "chelsea.jpg": ((200.0, 150.0), (140.5, 110.5), (230.0, 160.0)),
    "coffee.jpg": ((300.0, 200.0), (60.0, 350.0)),
    "rocket.jpg": ((320.0, 200.0), (100.0, 300.0)),
}
BOXES = {
    "astronaut.jpg": ((360.0, 300.0, 505.0, 511.0), (150.0, 20.0, 290.0, 250.0)),
    "chelsea.jpg": ((100.0, 20.0, 420.0, 290.0), (10.0, 140.0, 440.0, 152.0)),
    "coffee.jpg": ((120.0, 60.0, 460.0, 360.0),),
    "rocket.jpg": ((300.0, 90.0, 350.0, 340.0),),
}


class Blob:
    """Arrays in one file, each named by where it is."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0

    def put(self, array: NDArray[Any]) -> dict[str, Any]:
        """Append an array; its place, type and shape."""
        content = np.ascontiguousarray(array).tobytes()
        place = {"offset": self.length, "type": array.dtype.name, "shape": list(array.shape)}
        padding = -len(content) % 8
        self.parts.append(content + bytes(padding))
        self.length += len(content) + padding
        return place


class Recorder:
    """A network that remembers what it was shown and what it said."""

    def __init__(
        self,
        network: Runtime | Corrector,
        name: str,
        blob: Blob,
        calls: list[dict[str, Any]],
    ) -> None:
        self.network, self.name, self.blob, self.calls = network, name, blob, calls
        self.scores, self.digest = network.scores, network.digest
        self.marks_boxes = bool(getattr(network, "marks_boxes", False))

    def __call__(
        self, crops: NDArray[np.uint8], *prior: NDArray[np.int8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As of the network."""
        logits, scores = self.network(crops, *prior)
        call = {"network": self.name, "crops": crops, "logits": logits, "scores": scores}
        if prior:
            call["prior"] = prior[0]
        self.calls.append({k: v if k == "network" else self.blob.put(v) for k, v in call.items()})
        return logits, scores


def recorded(predictor: Predictor, blob: Blob) -> tuple[Predictor, list[dict[str, Any]]]:
    """A predictor that answers the same, and its networks' calls."""
    assert predictor.corrector is not None
    calls: list[dict[str, Any]] = []
    first = Recorder(predictor.runtime, "first", blob, calls)
    corrector = Recorder(predictor.corrector, "correcting", blob, calls)
    return Predictor(first, predictor.config, predictor.scores, corrector), calls


def crop_json(crop: Crop) -> dict[str, float]:
    """A crop as the page has it."""
    return {"x": crop.x, "y": crop.y, "side": crop.side}


def click_json(click: Click) -> dict[str, Any]:
    """A click as the page has it."""
    return {"x": click.x, "y": click.y, "positive": click.positive}


def main(out: Path) -> None:
    """Write ``vectors.json`` and ``vectors.bin`` into a folder."""
    # The page's networks compute in float.
    predictor = Predictor.from_pretrained(
        f"{DEFAULT_MODEL}-fp32", engine="torch", correcting=f"{CORRECTING_MODEL}-fp32"
    )
    blob = Blob()
    photographs, crops, sessions, searches = [], [], [], []
    for name in sorted(CLICKS):
        image = np.asarray(load_image(EXAMPLES / "images" / name))
        height, width = image.shape[:2]
        number = len(photographs)
        photographs.append({"name": name, "width": width, "height": height, "rgb": blob.put(image)})
        for x, y, side in CROPS:
            crop = Crop(x * width, y * height, side)
            crops.append(
                {
                    "photograph": number,
                    "crop": crop_json(crop),
                    "pixels": blob.put(cut(image, crop)),
                }
            )
        for prompt in prompts_of(name, image):
            sessions.append({"photograph": number, **session(predictor, image, prompt, blob)})
        searches.append({"photograph": number, **everything(predictor, image, blob)})
    rng = np.random.default_rng(0)
    content = {
        "photographs": photographs,
        "crops": crops,
        "sessions": sessions,
        "everything": searches,
        "videos": [followed(predictor, blob)],
        "pastes": [pasted(rng, blob) for _ in range(12)],
        "lookups": [looked_up(rng, blob) for _ in range(12)],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "vectors.bin").write_bytes(b"".join(blob.parts))
    (out / "vectors.json").write_text(json.dumps(content), "utf-8")


def prompts_of(name: str, image: NDArray[np.uint8]) -> Sequence[Prompt]:
    """Clicks and boxes, some of them corrected, and masks that were given."""
    height, width = image.shape[:2]
    found = []
    for x, y in CLICKS[name]:
        first = Click(x, y)
        beside = Click(min(width - 1.0, x + 31.5), max(0.0, y - 12.0), positive=False)
        further = Click(max(0.0, x - 14.0), min(height - 1.0, y + 22.0))
        found += [Prompt(first), Prompt(first, (beside,)), Prompt(first, (further, beside))]
    for corners in BOXES[name]:
        x0, y0, x1, y1 = corners
        inside = Click((x0 + x1) / 2, (y0 + y1) / 2, positive=False)
        found += [
            Prompt(Box(corners), within=corners),
            Prompt(Box(corners), (inside,), within=corners),
        ]
    given = np.zeros((height, width), bool)
    given[height // 3 : height * 2 // 3, width // 4 : width // 2] = True
    found.append(Prompt(GivenMask(given), (Click(width * 0.55, height * 0.5),)))
    found.append(Prompt(GivenMask(given), (Click(width * 0.3, height * 0.4, positive=False),)))
    return found


def session(
    predictor: Predictor, image: NDArray[np.uint8], prompt: Prompt, blob: Blob
) -> dict[str, Any]:
    """One prompt: its clicks one after the other, as the page asks them."""
    own, calls = recorded(predictor, blob)
    asking = Asking(own.runtime, own.corrector, own.config, own.scores, image, {})
    readings = asking.answer([prompt], 3)[0]
    asked: dict[str, Any] = {
        "clicks": [click_json(click) for click in prompt.clicks],
        "within": prompt.within,
    }
    if isinstance(prompt.first, Box):
        asked["box"] = prompt.first.corners
    elif isinstance(prompt.first, Click):
        asked["click"] = click_json(prompt.first)
    else:
        asked["mask"] = blob.put(prompt.first.picture.astype(np.uint8))
    return {
        **asked,
        "calls": calls,
        "answers": [answer_json(reading, image.shape[:2], blob) for reading in readings],
    }


def answer_json(reading: Reading, size: tuple[int, int], blob: Blob) -> dict[str, Any]:
    """A reading and its mask."""
    mask = np.empty(size, bool)
    draw_mask(reading, size, mask)
    return {
        "crop": crop_json(reading.crop),
        "score": reading.score,
        "logits": blob.put(reading.logits.astype(np.float32)),
        "mask": blob.put(mask.astype(np.uint8)),
    }


def everything(predictor: Predictor, image: NDArray[np.uint8], blob: Blob) -> dict[str, Any]:
    """A search of few points for all objects."""
    own, calls = recorded(predictor, blob)
    found = AutomaticMaskGenerator(own, points_per_side=4, points_per_batch=16).generate(image)
    return {
        "calls": calls,
        "found": [
            {
                "score": record["predicted_iou"],
                "mask": blob.put(record["segmentation"].astype(np.uint8)),
            }
            for record in found
        ],
    }


def followed(predictor: Predictor, blob: Blob) -> dict[str, Any]:
    """A face and a suit in a moving view, corrected once, hidden and found again."""
    own, calls = recorded(predictor, blob)
    image = load_image(EXAMPLES / "images" / "astronaut.jpg")
    views = [image[20 + 2 * i : 240 + 2 * i, 80 + 6 * i : 380 + 6 * i] for i in range(12)]
    views[5:9] = [np.full_like(views[0], 90)] * 4
    # The page estimates no motion, and a pixel is of one object.
    tracker = Tracker(own, TrackerConfig(rigid=0.0, non_overlap_masks=True))
    steps = []
    for number, frame in enumerate(views):
        asked: dict[str, Any] = {"frame": blob.put(frame)}
        if number == 0:
            asked["click"] = {"x": 135.0, "y": 100.0, "positive": True}
            answer = tracker.start(frame, points=[[135.0, 100.0]])
        else:
            answer = tracker.update(frame)
        if number == 1:
            asked["box"] = [20.0, 160.0, 230.0, 220.0]
            tracker.add(frame, box=asked["box"])
            answer = tracker.answer()
        if number == 3:
            asked["correct"] = {"x": 120.0, "y": 70.0, "positive": True}
            answer = tracker.correct(frame, 1, points=[[120.0, 70.0]])
        asked["answers"] = [
            {
                "id": name,
                "score": one.score,
                "state": one.state,
                "mask": blob.put(one.mask.astype(np.uint8)),
            }
            for name, one in answer.objects.items()
        ]
        steps.append(asked)
    return {"calls": calls, "steps": steps}


def random_crop(rng: np.random.Generator, size: tuple[int, int]) -> Crop:
    """One that may leave the image."""
    height, width = size
    return Crop(
        float(rng.uniform(0, width)), float(rng.uniform(0, height)), float(rng.uniform(10, 400))
    )


def pasted(rng: np.random.Generator, blob: Blob) -> dict[str, Any]:
    """Logits of a crop in an image."""
    size = int(rng.integers(60, 300)), int(rng.integers(60, 300))
    crop = random_crop(rng, size)
    logits = rng.normal(0, 4, (96, 96)).astype(np.float32)
    return {
        "height": size[0],
        "width": size[1],
        "crop": crop_json(crop),
        "logits": blob.put(logits),
        "picture": blob.put(paste(logits, crop, size)),
    }


def looked_up(rng: np.random.Generator, blob: Blob) -> dict[str, Any]:
    """A mask of an image in a crop."""
    size = int(rng.integers(60, 300)), int(rng.integers(60, 300))
    crop = random_crop(rng, size)
    rows, columns = np.indices(size)
    mask = (columns - crop.x - 9) ** 2 + (rows - crop.y) ** 2 < rng.uniform(5, 100) ** 2
    return {
        "height": size[0],
        "width": size[1],
        "crop": crop_json(crop),
        "mask": blob.put(mask.astype(np.uint8)),
        "values": blob.put(look_up(mask, crop, size)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    main(parser.parse_args().out)

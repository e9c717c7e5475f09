"""Label Studio's protocol for ML backends: smart key points and rectangles in, masks out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from fastapi import Depends, FastAPI, Request

from picosam2.formats.base import Found, Photograph
from picosam2.segmenting.box_file import GivenBox
from picosam2.segmenting.prompts import Prompts
from picosam2.serving import answering
from picosam2.serving.access import Access
from picosam2.serving.asked import MOST_POINTS
from picosam2.serving.brush import brush_rle
from picosam2.serving.deadline import Deadline
from picosam2.serving.fetching import LabelStudio, fetch
from picosam2.serving.label_config import Labelling, read_labelling
from picosam2.serving.photographs import decode_photograph
from picosam2.serving.refusals import Refused
from picosam2.serving.service import Service
from picosam2.serving.uploads import read_body

KEY_POINT, RECTANGLE = "keypointlabels", "rectanglelabels"
# How far polygons may be from the mask's outline, in pixels.
TOLERANCE = 1.0


class _Task(msgspec.Struct):
    data: dict[str, Any]


class _Context(msgspec.Struct):
    """What a person has drawn with a smart tool."""

    result: list[dict[str, Any]] = []


class _Parameters(msgspec.Struct):
    context: _Context | None = None


class _Predict(msgspec.Struct):
    tasks: list[_Task]
    label_config: str
    params: _Parameters = msgspec.field(default_factory=_Parameters)


class _Setup(msgspec.Struct):
    schema: str


class _Value(msgspec.Struct):
    """Shares of the picture in percent."""

    x: float
    y: float
    width: float = 0
    height: float = 0
    rotation: float = 0


class _Drawn(msgspec.Struct):
    type: str
    value: _Value
    is_positive: bool = True


def add_label_studio(app: FastAPI, service: Service, access: Access, source: LabelStudio) -> None:
    """Add its addresses to the application; ``/health`` alone goes without the token.

    Args:
        app: the application.
        service: answers.
        access: lets in.
        source: where tasks' photographs may be fetched.
    """
    version = f"picosam2-{service.workers.predictor.runtime.digest[:12]}"
    let_in = [Depends(access)]

    @app.get("/health")
    def health() -> dict[str, str]:
        """Whether the service is up; without the token."""
        return {"status": "UP", "model_class": "PicoSAM2"}

    @app.post("/setup", dependencies=let_in)
    async def setup(request: Request) -> dict[str, str]:
        """Label Studio: a project begins; its labelling interface needs a control for masks."""
        with service.workers.admit() as deadline:
            asked = _read(await read_body(request, service.config, deadline), _Setup)
            # Label Studio asks with an empty interface whether the service is there.
            if asked.schema.strip():
                read_labelling(asked.schema)
            return {"model_version": version}

    @app.post("/predict", dependencies=let_in)
    async def predict(request: Request) -> dict[str, Any]:
        """Label Studio: masks for what was drawn with a smart tool."""
        with service.workers.admit() as deadline:
            asked = _read(await read_body(request, service.config, deadline), _Predict)
            labelling = read_labelling(asked.label_config)
            drawn = asked.params.context.result if asked.params.context else []
            results = []
            for task in asked.tasks:
                result: list[dict[str, Any]] = []
                # Without a prompt there is nothing to label: objects have no names here.
                if drawn:
                    photograph = await _photograph_of(task, labelling, service, source, deadline)
                    work = partial(_answer, service, photograph, labelling, drawn, deadline)
                    result = await service.workers.run(work, deadline)
                score = result[0]["score"] if result else 0.0
                results.append({"result": result, "score": score, "model_version": version})
            return {"results": results}

    @app.post("/webhook", dependencies=let_in)
    async def webhook(request: Request) -> dict[str, str]:
        """Label Studio: an annotation was saved; nothing is learnt from it here."""
        with service.workers.admit() as deadline:
            _read(await read_body(request, service.config, deadline), dict[str, Any])
            return {"status": "ignored"}


async def _photograph_of(
    task: _Task, labelling: Labelling, service: Service, source: LabelStudio, deadline: Deadline
) -> Photograph:
    """A task's photograph, kept by its address: each click asks about it again."""
    address = task.data.get(labelling.data_key)
    if not isinstance(address, str):
        raise Refused(422, f"the task has no address of a photograph as {labelling.data_key}")
    name = f"label-studio {hashlib.sha256(address.encode()).hexdigest()}"
    kept = service.kept.get(name)
    if kept is not None:
        return kept

    def work() -> Photograph:
        file, content = fetch(address, source, service.config, deadline)
        return decode_photograph(content, file, service.config)

    photograph = await service.workers.run(work, deadline)
    service.kept.add(photograph, name)
    return photograph


def _answer(
    service: Service,
    photograph: Photograph,
    labelling: Labelling,
    drawn: Sequence[dict[str, Any]],
    deadline: Deadline,
) -> list[dict[str, Any]]:
    prompts, label = read_drawn(drawn, photograph.size)
    found = answering.segment(service.workers.predictor, photograph, prompts, deadline)
    return [
        region
        for number, one in enumerate(found)
        for region in regions(one, labelling, label, f"picosam2-{number}")
    ]


def read_drawn(drawn: Sequence[dict[str, Any]], size: tuple[int, int]) -> tuple[Prompts, str]:
    """What was drawn with smart tools about one object, as prompts, and the label it was drawn in.

    Args:
        drawn: Label Studio's results: key points (``is_positive`` or not) and a rectangle, which
            may be turned: its bounding box counts. Of several rectangles the last counts.
        size: H, W of the photograph in pixels.

    Raises:
        Refused: 422, they are broken, or none of them is a prompt.
    """
    height, width = size
    points: list[tuple[float, ...]] = []
    labels: list[int] = []
    boxes: list[GivenBox] = []
    label = ""
    for item in drawn:
        try:
            one = msgspec.convert(item, _Drawn, strict=False)
        except msgspec.ValidationError as error:
            raise Refused(422, f"what was drawn is broken: {error}") from None
        x, y = one.value.x * width / 100, one.value.y * height / 100
        if one.type == KEY_POINT:
            # A click on the far edge is on the last pixel.
            points.append((min(x, width - 0.5), min(y, height - 0.5)))
            labels.append(int(one.is_positive))
        elif one.type == RECTANGLE:
            boxes = [GivenBox(_bounding_box(one.value, width, height))]
        else:
            continue
        names = item["value"].get(one.type)
        label = names[0] if isinstance(names, list) and names else label
    if not points and not boxes:
        raise Refused(422, f"nothing drawn is a prompt: draw with {KEY_POINT} or {RECTANGLE}")
    if len(points) > MOST_POINTS:
        raise Refused(422, f"give at most {MOST_POINTS} points")
    return Prompts(points, labels, None, boxes), str(label)


def _bounding_box(value: _Value, width: int, height: int) -> tuple[float, float, float, float]:
    """Of a rectangle that is turned about its first corner, in pixels."""
    across, down = value.width * width / 100, value.height * height / 100
    cos, sin = math.cos(math.radians(value.rotation)), math.sin(math.radians(value.rotation))
    corners = [(0.0, 0.0), (across, 0.0), (0.0, down), (across, down)]
    x = [value.x * width / 100 + cos * u - sin * v for u, v in corners]
    y = [value.y * height / 100 + sin * u + cos * v for u, v in corners]
    return min(x), min(y), max(x), max(y)


def regions(found: Found, labelling: Labelling, label: str, name: str) -> list[dict[str, Any]]:
    """An object as Label Studio's results: none where its mask is empty.

    Args:
        found: the object.
        labelling: the control that takes it.
        label: of the object.
        name: of the region.

    Returns:
        One region: a brush's run lengths, or a polygon (holes and further parts joined by bridges).
    """
    mask = found.mask
    if not mask.any():
        return []
    height, width = mask.shape
    value: dict[str, Any]
    if labelling.kind == "brushlabels":
        value = {"format": "rle", "rle": brush_rle(mask)}
    else:
        from picosam2.formats.polygons import mask_polygons, one_ring

        ring = one_ring(mask_polygons(mask, TOLERANCE)) * [100 / width, 100 / height]
        value = {"points": ring.tolist(), "closed": True}
    return [
        {
            "id": name,
            "from_name": labelling.from_name,
            "to_name": labelling.to_name,
            "type": labelling.kind,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": value | {labelling.kind: [label]},
            "score": found.score,
        }
    ]


def _read(content: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError) as error:
        raise Refused(422, f"not what Label Studio sends: {error}") from None

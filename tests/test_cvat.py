"""CVAT's functions, called as its SDK calls them, without a server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

cvataa = pytest.importorskip("cvat_sdk.auto_annotation")

from cvat_sdk.masks import decode_mask  # noqa: E402

from picosam2.automatic import AutomaticMaskGenerator  # noqa: E402
from picosam2.errors import InputError  # noqa: E402
from picosam2.examples import EXAMPLES  # noqa: E402
from picosam2.integrations import cvat_clicks, cvat_everything, cvat_nuclio  # noqa: E402


@pytest.fixture(scope="module")
def small() -> Image.Image:
    """A photograph of few crops."""
    return Image.open(EXAMPLES / "images" / "astronaut.jpg").resize((48, 32))


def mask_of(points: list[float], image: Image.Image) -> np.ndarray:
    return decode_mask(points, image_width=image.width, image_height=image.height)


def test_everything_is_what_the_generator_finds(predictor, small):
    function = cvat_everything.create(threads=1)
    (label,) = function.spec.labels
    assert (label.name, label.type) == ("object", "mask")
    shapes = function.detect(SimpleNamespace(frame_name="small.png", conf_threshold=None), small)
    expected = AutomaticMaskGenerator(predictor).generate(np.asarray(small))
    assert len(shapes) == len(expected) > 1
    for shape, record in zip(shapes, expected, strict=True):
        assert (shape.type.value, shape.label_id, shape.frame) == ("mask", label.id, 0)
        assert np.array_equal(mask_of(shape.points, small), record["segmentation"])


@pytest.mark.parametrize(
    ("prompts", "arguments"),
    [
        (
            {"pos_points": [(230, 160), (300, 200)], "neg_points": [(20, 20)]},
            {"point_coords": [[230, 160], [300, 200], [20, 20]], "point_labels": [1, 1, 0]},
        ),
        ({"bounding_box": ((60, 10), (300, 295))}, {"box": [60, 10, 300, 295]}),
        (
            {"pos_points": [(230, 160)], "bounding_box": ((60, 10), (300, 295))},
            {"point_coords": [[230, 160]], "point_labels": [1], "box": [60, 10, 300, 295]},
        ),
    ],
    ids=["clicks", "box", "box and click"],
)
def test_clicks_and_boxes_give_the_predictors_mask(predictor, cat, prompts, arguments):
    function, image = cvat_clicks.create(threads=1), Image.fromarray(cat)
    given = {"pos_points": [], "neg_points": [], "bounding_box": None} | prompts
    frame = function.preprocess_image(SimpleNamespace(), image)
    (shape,) = function.detect(SimpleNamespace(), frame, SimpleNamespace(**given))
    predictor.set_image(cat)
    masks, scores, _ = predictor.predict(**arguments, multimask_output=False)
    assert shape.type == "mask"
    assert np.array_equal(mask_of(shape.points, image), masks[0])
    (confidence,) = shape.attributes
    assert float(confidence.value) == pytest.approx(float(scores[0]), abs=1e-4)


def test_what_says_nothing_about_the_place_is_refused(cat):
    function = cvat_clicks.create(threads=1)
    nothing = SimpleNamespace(pos_points=[], neg_points=[(1, 1)], bounding_box=None)
    with pytest.raises(InputError, match="negative clicks alone"):
        function.detect(SimpleNamespace(), cat, nothing)


# The serverless function


class Nuclio:
    """What nuclio gives a function: its requests are bodies of JSON, already read."""

    def __init__(self) -> None:
        self.user_data = SimpleNamespace()
        self.said: list[str] = []
        self.logger = SimpleNamespace(warn=self.said.append)
        cvat_nuclio.init_context(self)

    Response = staticmethod(lambda **fields: SimpleNamespace(**fields))

    def ask(self, **body: object) -> tuple[int, dict]:
        answer = cvat_nuclio.handler(self, SimpleNamespace(body=body))
        assert answer.content_type == "application/json"
        return answer.status_code, json.loads(answer.body)


@pytest.fixture(scope="module")
def nuclio():
    return Nuclio()


# As cvat-core sends them: points as lists, a box as two corners, or none of it as null.
REQUESTS = [
    ({"pos_points": [[230, 160]], "neg_points": []}, {"point_coords": [[230, 160]]}),
    (
        {"pos_points": [[230, 160], [300, 200]], "neg_points": [[20, 20]], "obj_bbox": None},
        {"point_coords": [[230, 160], [300, 200], [20, 20]], "point_labels": [1, 1, 0]},
    ),
    (
        {"pos_points": [], "neg_points": [], "obj_bbox": [[60, 10], [300, 295]]},
        {"box": [60, 10, 300, 295]},
    ),
    (
        {"pos_points": [[230, 160]], "neg_points": [], "obj_bbox": [60, 10, 300, 295]},
        {"box": [60, 10, 300, 295], "point_coords": [[230, 160]]},
    ),
]
CONTENT = base64.b64encode((EXAMPLES / "images" / "chelsea.jpg").read_bytes()).decode()


@pytest.mark.parametrize(("request_", "prompt"), REQUESTS)
def test_the_serverless_function_gives_the_predictors_mask(nuclio, predictor, request_, prompt):
    status, answer = nuclio.ask(image=CONTENT, **request_)
    assert status == 200
    predictor.set_image(Image.open(EXAMPLES / "images" / "chelsea.jpg"))
    prompt = {"point_labels": [1] * len(prompt.get("point_coords", []))} | prompt
    if "point_coords" not in prompt:
        del prompt["point_labels"]
    masks, _, _ = predictor.predict(**prompt, multimask_output=False)
    assert np.array_equal(np.array(answer["mask"], bool), masks[0])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "'image'"),
        ({"image": "?"}, "not what CVAT sends"),
        ({"image": base64.b64encode(b"no photograph").decode()}, "not an image"),
        ({"image": CONTENT, "pos_points": "x"}, ""),
        ({"image": CONTENT, "pos_points": [[1, 2, 3]]}, ""),
        ({"image": CONTENT, "pos_points": [], "neg_points": []}, "give a prompt"),
        ({"image": CONTENT, "pos_points": [[9999, 5]]}, "outside"),
    ],
)
def test_what_the_serverless_function_refuses(nuclio, body, says):
    status, answer = nuclio.ask(**body)
    assert status == 400
    assert says in answer["error"]
    assert nuclio.said[-1] == answer["error"]


def test_the_serverless_functions_description_names_its_handler():
    text = Path(cvat_nuclio.__file__).with_suffix(".yaml").read_text()
    assert f"handler: {cvat_nuclio.__name__}:{cvat_nuclio.handler.__name__}\n" in text
    assert "type: interactor\n" in text

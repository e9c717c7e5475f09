"""CVAT's functions, called as its SDK calls them, without a server."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

cvataa = pytest.importorskip("cvat_sdk.auto_annotation")

from cvat_sdk.masks import decode_mask  # noqa: E402

from picosam2.automatic import AutomaticMaskGenerator  # noqa: E402
from picosam2.errors import InputError  # noqa: E402
from picosam2.integrations import cvat_clicks, cvat_everything  # noqa: E402


@pytest.fixture(scope="module")
def small(cat) -> Image.Image:
    """A photograph of few crops."""
    return Image.fromarray(cat).resize((48, 32))


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

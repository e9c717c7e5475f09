"""The model for X-AnyLabeling: its graphs answer as the predictor does about the same square."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from picosam2 import Predictor
from picosam2.examples import EXAMPLES
from picosam2.integrations.x_anylabeling.__main__ import main
from picosam2.integrations.x_anylabeling.encoding import MEAN, SIDE, STD
from picosam2.integrations.x_anylabeling.model import DECODER, DESCRIPTION, ENCODER, MASK_SIDE
from picosam2.masks import mask_iou
from picosam2.runtime.session import open_session

CLICK, INSIDE, ABOVE = (500.0, 300.0), (500.0, 700.0), (200.0, 200.0)
BOX = [(200.0, 100.0), (700.0, 600.0)]
PROMPTS = {
    "a click": ([CLICK], [1]),
    "two clicks": ([CLICK, INSIDE], [1, 1]),
    "a negative click": ([ABOVE, CLICK, INSIDE], [0, 1, 1]),
    "a box": (BOX, [2, 3]),
    "a box drawn from its other end": (BOX[::-1], [2, 3]),
    "a box and a click": ([*BOX, (600.0, 550.0)], [2, 3, 0]),
    "a box and a click beside it": ([*BOX, (500.0, 800.0)], [2, 3, 1]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The model, as the command writes it."""
    folder = tmp_path_factory.mktemp("x-anylabeling") / "model"
    done = CliRunner().invoke(main, [str(folder)])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def square():
    return squeezed("astronaut.jpg")


def squeezed(name):
    """A photograph as X-AnyLabeling squeezes it, SIDE×SIDE×3 uint8."""
    photograph = Image.open(EXAMPLES / "images" / name).convert("RGB")
    return np.asarray(photograph.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


@pytest.fixture(scope="module")
def features(folder, square):
    return encoded(folder, square)


def encoded(folder, square):
    """What the encoder gives the decoder."""
    normalised = ((square / 255 - MEAN) / STD).astype(np.float32)
    image = np.moveaxis(normalised, 2, 0)[None]
    return open_session(folder / ENCODER, threads=1).run(None, {"image": image})


@pytest.fixture(scope="module")
def decode(folder, features):
    return decoder(folder, features)


def decoder(folder, features):
    """Answers prompts as X-AnyLabeling asks: inputs by their order."""
    session = open_session(folder / DECODER, threads=1)
    names = [value.name for value in session.get_inputs()]

    def ask(points, labels):
        first, second, photograph = features
        points, labels = np.array(points, np.float32), np.array(labels, np.float32)
        mask = np.zeros((len(labels), 1, SIDE // 4, SIDE // 4), np.float32)
        inputs = (photograph, first, second, points, labels, mask, np.zeros(1, np.float32))
        return session.run(None, dict(zip(names, inputs, strict=True)))

    return ask


def test_the_encoder_passes_the_photograph_on(features, square):
    assert np.array_equal(features[2][0], np.moveaxis(square, 2, 0))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_masks_and_scores_are_the_predictors(prompt, decode, square):
    points, labels = PROMPTS[prompt]
    masks, scores = decode([points], [labels])
    assert masks.shape == (1, 1, MASK_SIDE, MASK_SIDE)
    assert scores.shape == (1, 1)
    clicks = [(p, label) for p, label in zip(points, labels, strict=True) if label < 2]
    given = {}
    if clicks:
        given = {"point_coords": [p for p, _ in clicks], "point_labels": [n for _, n in clicks]}
    if 2 in labels:
        given["box"] = np.array(BOX).ravel()
    predictor = Predictor.from_pretrained(threads=1)
    predictor.set_image(square)
    expected, (score,), _ = predictor.predict(**given, multimask_output=False)
    # The graph's mask has half of the photograph's resolution.
    shrunk = expected[0].reshape(MASK_SIDE, 2, MASK_SIDE, 2).mean((1, 3)) > 0.5
    assert mask_iou(masks[0, 0] > 0, shrunk) > 0.95
    assert scores[0, 0] == pytest.approx(score, abs=0.02)


def test_a_face_that_fills_the_photograph_is_looked_at_from_farther_away(folder):
    square = squeezed("chelsea.jpg")
    click = [522.0, 546.0]
    masks, scores = decoder(folder, encoded(folder, square))([[click]], [[1]])
    predictor = Predictor.from_pretrained(threads=1)
    predictor.set_image(square)
    expected, (score,), _ = predictor.predict([click], [1], multimask_output=False)
    assert expected.mean() > 0.4
    shrunk = expected[0].reshape(MASK_SIDE, 2, MASK_SIDE, 2).mean((1, 3)) > 0.5
    assert mask_iou(masks[0, 0] > 0, shrunk) > 0.95
    assert scores[0, 0] == pytest.approx(score, abs=0.02)


def test_prompts_of_one_call_are_answered_each_by_itself(decode):
    """As "everything" asks: fewer points than others are filled up with the label −1."""
    points = [[CLICK, INSIDE], [BOX[0], BOX[1]], [INSIDE, (0.0, 0.0)]]
    masks, scores = decode(points, [[1, 1], [2, 3], [1, -1]])
    for row, (given, labels) in enumerate(
        [([CLICK, INSIDE], [1, 1]), (BOX, [2, 3]), ([INSIDE], [1])]
    ):
        alone, score = decode([given], [labels])
        assert np.array_equal(masks[row], alone[0])
        assert scores[row] == score[0]


def test_the_description_names_both_models(folder):
    text = (folder / DESCRIPTION).read_text()
    assert "type: segment_anything_2\n" in text
    assert 'name: "picosam2-small"\n' in text
    assert f"encoder_model_path: {ENCODER}\n" in text
    assert f"decoder_model_path: {DECODER}\n" in text


def test_bad_input_is_one_line(folder):
    for arguments, says in [
        ([str(folder)], "is there already"),
        (["new", "--weights", "large"], "there are no weights large"),
        (["new", "--weights", "correcting"], "give weights of the first look"),
        (["new", "--weights", str(folder / DECODER)], "is not a PicoSAM2 model"),
        (["new", "--weights", __file__], "is not an ONNX model"),
    ]:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 2
        assert says in done.output
        assert done.output.count("\n") == 1

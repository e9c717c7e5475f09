"""Label Studio's protocol: what its smart tools send, and masks that its own converters read."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import re
import threading

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask
from test_serving import CAT, HEADERS, TOKEN, error_of, photograph

from picosam2.data.rle import encode_mask
from picosam2.formats.base import Found
from picosam2.masks import mask_iou
from picosam2.serving.app import create_app
from picosam2.serving.brush import brush_rle
from picosam2.serving.fetching import LabelStudio
from picosam2.serving.label_config import Labelling
from picosam2.serving.label_studio import read_drawn, regions

SDK = pytest.importorskip("label_studio_sdk.converter")
WIDTH, HEIGHT = 451, 300
IN_LINE = "data:image/jpeg;base64," + base64.b64encode(CAT.read_bytes()).decode()


def interface(output: str) -> str:
    """A labelling interface with smart tools, and a control for masks."""
    return f"""<View>
      <Image name="image" value="$picture"/>
      <KeyPointLabels name="point" toName="image" smart="true"><Label value="Cat"/></KeyPointLabels>
      <RectangleLabels name="box" toName="image" smart="true"><Label value="Cat"/></RectangleLabels>
      <{output} name="mask" toName="image"><Label value="Cat"/><Label value="Dog"/></{output}>
    </View>"""


def key_point(x: float, y: float, is_positive: bool = True) -> dict:
    """A click as Label Studio sends it, in percent."""
    value = {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, "width": 0.3, "keypointlabels": ["Cat"]}
    return {
        "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0, "value": value,
        "is_positive": is_positive, "id": "a", "from_name": "point", "to_name": "image",
        "type": "keypointlabels", "origin": "manual",
    }  # fmt: skip


def rectangle(x0: float, y0: float, x1: float, y1: float, rotation: float = 0) -> dict:
    """A box as Label Studio sends it, in percent."""
    value = {
        "x": 100 * x0 / WIDTH, "y": 100 * y0 / HEIGHT, "width": 100 * (x1 - x0) / WIDTH,
        "height": 100 * (y1 - y0) / HEIGHT, "rotation": rotation, "rectanglelabels": ["Cat"],
    }  # fmt: skip
    return {"type": "rectanglelabels", "value": value, "from_name": "box", "to_name": "image"}


def request(drawn: list[dict] | None, output: str = "BrushLabels", address: str = IN_LINE) -> dict:
    """What Label Studio sends to /predict."""
    return {
        "tasks": [{"id": 1, "data": {"picture": address}, "annotations": [], "predictions": []}],
        "project": "1.1700000000",
        "label_config": interface(output),
        "params": {
            "login": None,
            "password": None,
            "context": None if drawn is None else {"result": drawn, "annotator_id": 1},
        },
    }


@pytest.fixture(scope="module")
def client(predictor):
    with TestClient(create_app(predictor, TOKEN), headers=HEADERS) as client:
        yield client


def predict(client, drawn: list[dict], output: str = "BrushLabels", address: str = IN_LINE) -> dict:
    """The one region of the one task."""
    answer = client.post("/predict", json=request(drawn, output, address))
    assert answer.status_code == 200, answer.text
    (prediction,) = answer.json()["results"]
    (region,) = prediction["result"]
    assert prediction["score"] == region["score"]
    assert prediction["model_version"].startswith("picosam2-")
    return region


def mask_of(client, fields: dict) -> np.ndarray:
    """What /segment says to the same prompt, in pixels."""
    answer = client.post("/segment", data=fields, files=photograph()).json()
    return coco_mask.decode(answer["segmentation"]).astype(bool)


def export(tmp_path, region: dict, output: str, form: str) -> None:
    """What Label Studio does when an annotation with this region is exported."""
    task = {
        "id": 7, "data": {"picture": str(CAT)},
        "annotations": [{"id": 8, "completed_by": 1, "result": [region]}],
    }  # fmt: skip
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    (tmp_path / "out").mkdir()
    # With key points in the interface, its COCO has these and names no other categories.
    config = re.sub("<KeyPoint.*KeyPointLabels>", "", interface(output))
    converter = SDK.Converter(config, str(tmp_path), download_resources=False)
    converter.convert(str(tmp_path / "tasks.json"), str(tmp_path / "out"), form, is_dir=False)


PROMPTS = [
    ([key_point(230, 160)], {"points": "[[230, 160]]"}),
    (
        [key_point(230, 160), key_point(300, 200), key_point(20, 20, is_positive=False)],
        {"points": "[[230, 160], [300, 200], [20, 20]]", "labels": "[1, 1, 0]"},
    ),
    ([rectangle(60, 10, 300, 295)], {"box": "[60, 10, 300, 295]"}),
    (
        [rectangle(60, 10, 300, 295), key_point(230, 160)],
        {"box": "[60, 10, 300, 295]", "points": "[[230, 160]]"},
    ),
]
NAMES = ["click", "clicks", "box", "box and click"]


@pytest.mark.parametrize(("drawn", "fields"), PROMPTS, ids=NAMES)
def test_brush_masks_are_those_of_segment_in_label_studios_export(client, tmp_path, drawn, fields):
    region = predict(client, drawn)
    assert (region["from_name"], region["to_name"], region["type"]) == (
        "mask", "image", "brushlabels",
    )  # fmt: skip
    assert region["value"]["brushlabels"] == ["Cat"]
    export(tmp_path, region, "BrushLabels", "BRUSH_TO_NUMPY")
    (file,) = (tmp_path / "out").rglob("*.npy")
    assert "Cat" in file.name
    assert np.array_equal(np.load(file) == 255, mask_of(client, fields))


@pytest.mark.parametrize(("drawn", "fields"), PROMPTS, ids=NAMES)
def test_polygons_are_those_of_segment_in_label_studios_export(client, tmp_path, drawn, fields):
    region = predict(client, drawn, "PolygonLabels")
    assert region["value"]["polygonlabels"] == ["Cat"]
    export(tmp_path, region, "PolygonLabels", "COCO")
    coco = json.loads((tmp_path / "out" / "result.json").read_text())
    (annotation,) = coco["annotations"]
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert names[annotation["category_id"]] == "Cat"
    (rle,) = coco_mask.frPyObjects(annotation["segmentation"], HEIGHT, WIDTH)
    drawn_again = coco_mask.decode(rle).astype(bool)
    assert mask_iou(drawn_again, mask_of(client, fields)) > 0.97


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 40))))
def test_any_mask_survives_the_brush(mask):
    assert_brush(mask)


@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 5, 64, 65, 16384, 16385, 40_000])
def test_runs_of_any_length_survive_the_brush(pixels):
    mask = np.zeros((1, 50_000), bool)
    mask[0, 3 : 3 + pixels] = True
    assert_brush(mask)


def assert_brush(mask: np.ndarray) -> None:
    values = SDK.brush.decode_rle(brush_rle(mask)).reshape(*mask.shape, 4)
    assert np.array_equal(values, np.repeat(mask[..., None] * 255, 4, axis=2))


def test_holes_and_parts_become_one_polygon():
    mask = np.zeros((60, 80), bool)
    mask[5:40, 5:40] = True
    mask[15:30, 15:30] = False
    mask[50:58, 60:75] = True
    labelling = Labelling("mask", "image", "polygonlabels", ("Cat",), "picture")
    (region,) = regions(Found(encode_mask(mask), 0.5), labelling, "Cat", "id")
    ring = np.array(region["value"]["points"]) * [80 / 100, 60 / 100]
    (rle,) = coco_mask.frPyObjects([ring.ravel().tolist()], 60, 80)
    # What is drawn along the bridges is a pixel wide.
    assert mask_iou(coco_mask.decode(rle).astype(bool), mask) > 0.95


def test_an_empty_mask_is_no_region():
    labelling = Labelling("mask", "image", "brushlabels", ("Cat",), "picture")
    assert regions(Found(encode_mask(np.zeros((5, 5), bool)), 0.1), labelling, "Cat", "id") == []


def test_a_turned_rectangle_counts_as_its_bounding_box():
    prompts, label = read_drawn([rectangle(200, 100, 260, 140, rotation=90)], (HEIGHT, WIDTH))
    assert prompts.boxes[0].corners == pytest.approx((160, 100, 200, 160))
    assert label == "Cat"


def test_a_click_on_the_far_edge_is_on_the_last_pixel():
    prompts, _ = read_drawn([key_point(WIDTH, HEIGHT)], (HEIGHT, WIDTH))
    assert prompts.points == [(WIDTH - 0.5, HEIGHT - 0.5)]


def test_a_project_begins(client):
    body = {
        "project": "1.17", "schema": interface("BrushLabels"), "hostname": "http://localhost:8080",
        "access_token": "x", "extra_params": None,
    }  # fmt: skip
    version = client.post("/setup", json=body).json()["model_version"]
    assert predict(client, [key_point(230, 160)])
    assert version.startswith("picosam2-")
    assert client.post("/setup", json=body | {"schema": ""}).status_code == 200
    assert client.get("/health", headers={"Authorization": ""}).json()["status"] == "UP"
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 200


def test_tasks_without_a_prompt_get_no_masks(client):
    """One result a task: Label Studio puts them together by their order."""
    for drawn in (None, []):
        body = request(drawn)
        body["tasks"] *= 3
        results = client.post("/predict", json=body).json()["results"]
        assert [result["result"] for result in results] == [[], [], []]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label_config": "<View>"}, "is not XML"),
        ({"label_config": "<View/>"}, "needs one of BrushLabels, PolygonLabels"),
        ({"label_config": "<!DOCTYPE x><View/>"}, "has a document type"),
        ({"tasks": [{"data": {}}]}, "no address of a photograph as picture"),
        ({"tasks": [{"data": {"picture": "data:;base64,x"}}]}, "data: is broken"),
        ({"tasks": [{"data": {"picture": "/data/upload/1/a.jpg"}}]}, "--label-studio URL"),
        ({"tasks": 3}, "not what Label Studio sends"),
        ({"params": {"context": {"result": [{"type": "brushlabels"}]}}}, "drawn is broken"),
        (
            {"params": {"context": {"result": [key_point(1, 1) | {"type": "choices"}]}}},
            "nothing drawn is a prompt",
        ),
        ({"project": "\ud800"}, "not what Label Studio sends"),
    ],
)
def test_requests_that_are_refused(client, change, says):
    content = json.dumps(request([key_point(230, 160)]) | change)
    answer = client.post("/predict", content=content)
    assert says in error_of(answer, 422, "invalid")


# Photographs on a server


class _Files(http.server.BaseHTTPRequestHandler):
    """A Label Studio, as far as its photographs."""

    asked: list[tuple[str, str | None]]

    def do_GET(self):
        self.asked.append((self.path, self.headers["Authorization"]))
        if self.path.startswith("/leads/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/leads/"))
            self.end_headers()
            return
        self.send_response(200 if self.path.endswith(".jpg") else 404)
        self.end_headers()
        if self.path.endswith(".jpg"):
            self.wfile.write(b"x" * 30_000_000 if "large" in self.path else CAT.read_bytes())

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def files():
    """Its address, and what it was asked, with the token that came along."""
    handler = type("Handler", (_Files,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
        server.shutdown()
        thread.join()


@pytest.fixture
def studio(predictor):
    """A client of a service that fetches from a Label Studio, its address, and what it saw."""
    with files() as (url, asked):
        app = create_app(predictor, TOKEN, label_studio=LabelStudio(url, "key"))
        with TestClient(app, headers=HEADERS) as client:
            yield client, url, asked


def test_photographs_are_fetched_once_from_label_studio_with_its_key(studio):
    client, url, asked = studio
    expected = predict(client, [key_point(230, 160)])["value"]
    for address in ("/data/upload/1/cat.jpg", f"{url}/data/cat.jpg", "/leads//data/led.jpg"):
        for _ in range(2):
            assert predict(client, [key_point(230, 160)], address=address)["value"] == expected
    paths = ["/data/upload/1/cat.jpg", "/data/cat.jpg", "/leads//data/led.jpg", "/data/led.jpg"]
    assert asked == [(path, "Token key") for path in paths]


def test_photographs_are_fetched_from_nowhere_else(studio):
    client, _, asked = studio
    with files() as (other, others_asked):
        for address, says in [
            (f"{other}/cat.jpg", "alone, not"),
            (f"/leads/{other}/cat.jpg", "leads to another server"),
            ("file:///etc/passwd", "alone, not"),
            ("http://[", "no address"),
            ("/data/missing.png", "404"),
        ]:
            answer = client.post("/predict", json=request([key_point(1, 1)], address=address))
            assert says in error_of(answer, 422, "invalid")
        assert others_asked == []
    assert [path for path, _ in asked] == [f"/leads/{other}/cat.jpg", "/data/missing.png"]


def test_a_file_that_is_too_large_is_not_read_to_its_end(studio):
    client, _, _ = studio
    answer = client.post("/predict", json=request([key_point(1, 1)], address="/large.jpg"))
    assert "more than 20 MB" in error_of(answer, 413, "too_large")

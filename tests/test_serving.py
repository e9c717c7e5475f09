"""The HTTP service: what it answers, what it refuses, and what it does when many ask."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image
from test_cli import assert_refused, run

from picosam2 import Predictor
from picosam2.examples import EXAMPLES
from picosam2.serving.access import check_token
from picosam2.serving.app import create_app
from picosam2.serving.batching import Batches
from picosam2.serving.config import ServingConfig
from picosam2.serving.photographs import KeptPhotographs, decode_photograph
from picosam2.serving.run import listen

CAT = EXAMPLES / "images" / "chelsea.jpg"
TOKEN = "secret"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
CLICK = {"points": "[[230, 160]]"}


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A runtime that counts its calls, and takes its time or waits where it is told to."""

    def __init__(self, runtime, seconds: float = 0.0) -> None:
        self.runtime, self.seconds = runtime, seconds
        self.digest, self.scores = runtime.digest, runtime.scores
        self.marks_boxes = runtime.marks_boxes
        self.batches: list[int] = []
        self.entered, self.may_go = threading.Event(), threading.Event()
        self.may_go.set()

    def __call__(self, crops):
        self.batches.append(len(crops))
        self.entered.set()
        assert self.may_go.wait(30)
        time.sleep(self.seconds)
        return self.runtime(crops)


@pytest.fixture
def watched(predictor) -> Watched:
    return Watched(predictor.runtime)


def app_of(predictor, config: ServingConfig | None = None, **more):
    return create_app(predictor, TOKEN, config or ServingConfig(), **more)


@pytest.fixture(scope="module")
def client(predictor):
    with TestClient(app_of(predictor), headers=HEADERS) as client:
        yield client


def photograph(content: bytes | None = None, name: str = "chelsea.jpg") -> dict:
    return {"image": (name, CAT.read_bytes() if content is None else content)}


def error_of(response: httpx.Response, status: int, code: str) -> str:
    """The message of a refusal, whose shape is always the same."""
    assert response.status_code == status, response.text
    (error,) = response.json().values()
    assert error.keys() == {"status", "code", "message"}
    assert (error["status"], error["code"]) == (status, code)
    assert error["message"]
    assert "\n" not in error["message"]
    return error["message"]


@pytest.fixture(scope="module")
def mask_file(tmp_path_factory) -> Path:
    """A disc, to be corrected."""
    rows, columns = np.ogrid[:300, :451]
    disc = (columns - 230) ** 2 + (rows - 160) ** 2 < 60**2
    path = tmp_path_factory.mktemp("masks") / "disc.png"
    Image.fromarray(disc.astype(np.uint8) * 255).save(path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A photograph of few crops."""
    path = tmp_path_factory.mktemp("small") / "small.png"
    with Image.open(EXAMPLES / "images" / "astronaut.jpg") as image:
        image.resize((48, 32)).save(path)
    return path


# What is answered


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"points": "[[230,160]]"}, ["--point", "230,160"]),
        (
            {"points": "[[230,160],[300,200],[20,20]]", "labels": "[1,1,0]"},
            ["--point", "230,160", "--point", "300,200", "--not", "20,20"],
        ),
        ({"box": "[60,10,300,295]"}, ["--box", "60,10,300,295"]),
        (
            {"boxes": "[[60,10,300,295],[20,10,200,200]]"},
            ["--box", "60,10,300,295", "--box", "20,10,200,200"],
        ),
        (
            {"box": "[60,10,300,295]", "points": "[[230,160]]"},
            ["--box", "60,10,300,295", "--point", "230,160"],
        ),
    ],
    ids=["click", "clicks", "box", "boxes", "box and click"],
)
def test_answers_are_those_of_the_command_line(client, fields, options):
    answer = client.post("/segment", data=fields, files=photograph())
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == run("segment", CAT, *options, "--json", "-").stdout.strip()


def test_boxes_are_answered_with_a_list_if_it_is_one(client):
    fields = {"boxes": "[[60,10,300,295]]"}
    one = client.post("/segment", data={"box": "[60,10,300,295]"}, files=photograph())
    assert client.post("/segment", data=fields, files=photograph()).json() == [one.json()]


def test_a_mask_is_corrected_as_on_the_command_line(client, mask_file):
    files = photograph() | {"mask": ("disc.png", mask_file.read_bytes())}
    fields = {"points": "[[250, 250]]"}
    answer = client.post("/segment", data=fields, files=files)
    command = run("segment", CAT, "--mask", mask_file, "--point", "250,250", "--json", "-")
    assert answer.text == command.stdout.strip()


def test_everything_is_that_of_the_command_line(client, small):
    answer = client.post("/everything", files=photograph(small.read_bytes(), small.name))
    assert answer.text == run("segment", small, "--everything", "--json", "-").stdout.strip()
    assert len(answer.json()) > 1


def test_everything_has_the_generators_options(client, small):
    def count(**options: str) -> int:
        files = photograph(small.read_bytes(), small.name)
        answer = client.post("/everything", data=options, files=files)
        assert answer.status_code == 200, answer.text
        return len(answer.json())

    assert count(pred_iou_thresh="0.9") < count(pred_iou_thresh="0.1", box_nms_thresh="0.9")


def test_photographs_are_read_as_everywhere(client, small):
    """Upright, of any depth: by the one function that reads photographs."""
    with Image.open(small) as image:
        on_its_side = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(on_its_side, "JPEG", exif=exif)
    answer = client.post(
        "/segment", data={"points": "[[10, 40]]"}, files=photograph(on_its_side.getvalue())
    )
    assert answer.json()["segmentation"]["size"] == [48, 32]


def test_a_photograph_can_be_asked_about_again_for_ten_minutes(predictor):
    clock = Clock()
    with TestClient(app_of(predictor, clock=clock), headers=HEADERS) as client:
        first = client.post("/segment", data=CLICK, files=photograph())
        image_id = first.headers["image-id"]
        clock.now = 599
        again = client.post("/segment", data=CLICK | {"image_id": image_id})
        assert (again.text, again.headers["image-id"]) == (first.text, image_id)
        clock.now = 601
        gone = client.post("/segment", data=CLICK | {"image_id": image_id})
        assert "send it again" in error_of(gone, 404, "not_found")


def test_the_oldest_photographs_go_where_all_need_too_much_memory():
    photos = [decode_photograph(CAT.read_bytes(), str(n), ServingConfig()) for n in range(3)]
    size = photos[0].pixels.nbytes
    kept = KeptPhotographs(600, 2.5 * size / 1e6, Clock())
    first, second, third = map(kept.add, photos)
    assert kept.get(first) is None
    assert kept.get(second) is photos[1]
    assert kept.get(third) is photos[2]
    alone = KeptPhotographs(600, 0.5 * size / 1e6, Clock())
    assert alone.get(alone.add(photos[0])) is photos[0]


def test_the_page_of_the_interface_shows_forms_and_token(client):
    assert client.get("/docs", headers={"Authorization": ""}).status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    for path, fields in {
        "/segment": {"image", "image_id", "points", "labels", "box", "boxes", "mask"},
        "/everything": {"image", "image_id", "points_per_side", "crop_n_layers"},
    }.items():
        post = paths[path]["post"]
        schema = post["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert fields <= schema["properties"].keys()
        assert {"401", "413", "415", "422", "429"} <= post["responses"].keys()
        assert post["security"]


# What is refused


@pytest.mark.parametrize("path", ["/segment", "/everything", "/predict", "/setup", "/webhook"])
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer", "Basic !", "secret", "Bearer é"])
def test_nothing_is_answered_without_the_token(client, path, header):
    headers = {"Authorization": header.encode("latin-1")}
    answer = client.post(path, headers=headers, data=CLICK, files=photograph())
    error_of(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_token_may_be_a_password(client):
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    assert client.post("/webhook", headers=headers, json={}).status_code == 200


def png_of(width: int, height: int) -> bytes:
    """A PNG's head that says so, with no pixel behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"")


@pytest.mark.parametrize(
    ("content", "status", "code", "says"),
    [
        (png_of(10_000, 5_001), 413, "too_large", "10000×5001 pixels; the limit is 50 megapixels"),
        (b"x" * 20_000_001, 413, "too_large", "at most 20 MB"),
        (b"hello", 415, "unsupported_media_type", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "unsupported_media_type", ""),
        (b"", 415, "unsupported_media_type", ""),
        (CAT.read_bytes()[:5000], 422, "invalid", "cannot read the image"),
        (png_of(100, 100), 422, "invalid", "cannot read the image"),
    ],
    ids=["megapixels", "megabytes", "text", "postscript", "empty", "cut off", "no pixels"],
)
def test_photographs_that_are_refused(client, content, status, code, says):
    answer = client.post("/segment", data=CLICK, files=photograph(content))
    assert says in error_of(answer, status, code)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "give a prompt"),
        ({"points": "230,160"}, "points is not JSON such as [[320, 240]]"),
        ({"points": "[[230]]"}, "points is not JSON such as"),
        ({"points": "[[NaN, 1]]"}, "points is not JSON such as"),
        ({"points": "[[451, 10]]"}, "outside the image of 451×300"),
        ({"points": "[[1, 1]]", "labels": "[1, 0]"}, "as many labels as points"),
        ({"points": "[[1, 1]]", "labels": "[2]"}, "point_labels must be 1"),
        ({"points": "[[1, 1]]", "labels": "[0]"}, "negative clicks alone"),
        ({"points": json.dumps([[1, 1]] * 257)}, "at most 256 points"),
        ({"box": "[1, 1, 1, 9]"}, "is empty"),
        ({"box": "[1, 1, 5, 9]", "boxes": "[[1, 1, 5, 9]]"}, "box or boxes"),
        ({"boxes": "[[1, 1, 5, 9], [1, 1, 5, 9]]", "points": "[[1, 1]]"}, "give one box"),
        ({"point": "[[1, 1]]"}, "the field point is not known here"),
        ({"mask": "x"}, "the field mask is a file"),
        (CLICK | {"image_id": "x"}, "give a photograph as image, or the image_id"),
    ],
)
def test_prompts_that_are_refused(client, fields, says):
    answer = client.post("/segment", data=fields, files=photograph())
    assert says in error_of(answer, 422, "invalid")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"points_per_side": "65"}, "points_per_side must be 1 to 64"),
        ({"pred_iou_thresh": "high"}, "pred_iou_thresh is not a number"),
        ({"crop_n_layers": "1.5"}, "crop_n_layers is not a number"),
    ],
)
def test_options_that_are_refused(client, options, says):
    answer = client.post("/everything", data=options, files=photograph())
    assert says in error_of(answer, 422, "invalid")


def test_masks_that_are_refused(client, small):
    for content, status, code, says in [
        (small.read_bytes(), 422, "invalid", "451×300 pixels, its mask is 48×32"),
        (b"hello", 415, "unsupported_media_type", "not an image"),
    ]:
        files = photograph() | {"mask": ("mask.png", content)}
        assert says in error_of(client.post("/segment", files=files), status, code)


def test_requests_that_are_no_forms(client):
    answer = client.post("/segment", json={"points": [[1, 1]]})
    assert "multipart" in error_of(answer, 415, "unsupported_media_type")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    broken = client.post("/segment", content=b"--y\r\n\r\n", headers=headers)
    assert "the form is broken" in error_of(broken, 422, "invalid")
    twice = [("image", ("a.jpg", CAT.read_bytes())), ("image", ("b.jpg", CAT.read_bytes()))]
    answer = client.post("/segment", data=CLICK, files=twice)
    assert "image is given twice" in error_of(answer, 422, "invalid")
    error_of(client.post("/segment", data=CLICK), 422, "invalid")
    error_of(client.get("/segment"), 405, "method_not_allowed")
    error_of(client.get("/nothing"), 404, "not_found")


def test_a_fault_of_the_service_says_nothing_about_it(predictor):
    def broken(crops):
        raise RuntimeError("secrets")

    broken.digest, broken.scores, broken.marks_boxes = "", {}, False
    app = app_of(Predictor(broken, scores=predictor.scores))
    with TestClient(app, headers=HEADERS, raise_server_exceptions=False) as client:
        answer = client.post("/segment", data=CLICK, files=photograph())
    assert "secrets" not in error_of(answer, 500, "internal_error")


def test_what_takes_too_long_is_ended(predictor, watched, small):
    """Searching everything stops at the deadline, not when it is done."""
    watched.seconds = 0.3
    config = ServingConfig(seconds=0.5)
    app = app_of(Predictor(watched, scores=predictor.scores), config)
    with TestClient(app, headers=HEADERS) as client:
        answer = client.post("/everything", data={"points_per_side": "64"}, files=photograph())
        assert "0.5 s" in error_of(answer, 504, "timeout")
    # The application has closed, so its threads have ended.
    assert sum(watched.batches) < 1000


def test_more_than_the_queue_is_refused_and_told_to_come_again(predictor, watched):
    async def ask() -> None:
        app = app_of(Predictor(watched, scores=predictor.scores), ServingConfig(queue=2))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=HEADERS, timeout=30
        ) as client:
            watched.may_go.clear()

            def post():
                return client.post("/segment", data=CLICK, files=photograph())

            taken = [asyncio.create_task(post()) for _ in range(2)]
            await asyncio.to_thread(watched.entered.wait, 30)
            refused = await post()
            assert refused.headers["retry-after"] == "1"
            error_of(refused, 429, "busy")
            watched.may_go.set()
            assert [(await task).status_code for task in taken] == [200, 200]
            assert (await post()).status_code == 200

    asyncio.run(ask())


# Many at a time


def test_requests_at_the_same_time_share_batches(predictor, watched):
    """With the answers of requests one by one, and as many crops."""
    watched.seconds = 0.05
    points = [{"points": f"[[{x}, 160]]"} for x in range(30, 430, 25)]

    async def ask(together: bool) -> list[str]:
        app = app_of(Predictor(watched, scores=predictor.scores))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=HEADERS, timeout=60
        ) as client:
            posts = (client.post("/segment", data=p, files=photograph()) for p in points)
            answers = await asyncio.gather(*posts) if together else [await p for p in posts]
        return [answer.text for answer in answers]

    alone = asyncio.run(ask(together=False))
    one_by_one, watched.batches = watched.batches, []
    assert asyncio.run(ask(together=True)) == alone
    assert sum(watched.batches) == sum(one_by_one)
    assert len(watched.batches) < len(one_by_one) / 2


def test_all_callers_of_a_batch_hear_of_its_error():
    def broken(crops):
        raise MemoryError

    batches = Batches(broken, lambda: 4, 1.0)
    heard: list[type] = []

    def ask() -> None:
        try:
            batches.ask(np.zeros((1, 96, 96, 3), np.uint8))
        except MemoryError:
            heard.append(MemoryError)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(heard) == 4


def test_no_photograph_is_written_to_disk(client, monkeypatch):
    """What an upload of more than a megabyte is to most frameworks."""

    def rollover(self):
        raise AssertionError("written to disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    noise = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    Image.fromarray(pixels).save(noise, "PNG")
    assert len(noise.getvalue()) > 2e6
    answer = client.post("/segment", data=CLICK, files=photograph(noise.getvalue()))
    assert answer.status_code == 200


# On a port


@contextlib.contextmanager
def served(app):
    """A real server on a free port of this machine."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()


def upload() -> tuple[bytes, bytes]:
    """The head and the body of a request as they go over the wire."""
    request = httpx.Request(
        "POST", "http://localhost/segment", headers=HEADERS, data=CLICK, files=photograph()
    )
    head = [b"POST /segment HTTP/1.1", *(b": ".join(pair) for pair in request.headers.raw)]
    return b"\r\n".join([*head, b"connection: close", b"", b""]), request.read()


def reply(connection: socket.socket) -> tuple[int, dict]:
    connection.settimeout(30)
    content = b""
    while part := connection.recv(2**16):
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_a_slow_upload_is_refused_in_time(predictor):
    head, body = upload()
    with (
        served(app_of(predictor, ServingConfig(seconds=1))) as address,
        socket.create_connection(address) as connection,
    ):
        connection.sendall(head + body[:1000])
        start = time.monotonic()
        status, content = reply(connection)
        assert time.monotonic() - start < 10
    assert (status, content["error"]["code"]) == (408, "upload_too_slow")


def test_a_broken_upload_leaves_its_place_to_others(predictor):
    head, body = upload()
    with served(app_of(predictor, ServingConfig(queue=1))) as address:
        for _ in range(3):
            with socket.create_connection(address) as connection:
                connection.sendall(head + body[:1000])
        deadline = time.monotonic() + 30
        status = 429
        while status == 429 and time.monotonic() < deadline:
            with socket.create_connection(address) as connection:
                connection.sendall(head + body)
                status, content = reply(connection)
        assert status == 200
        assert content["image"] == "chelsea.jpg"


def test_a_chunked_upload_without_end_is_refused(predictor):
    with served(app_of(predictor, ServingConfig(megabytes=1))) as (host, port):

        def endless():
            for _ in range(100):
                yield b"x" * 100_000

        headers = HEADERS | {"Content-Type": "multipart/form-data; boundary=x"}
        # The server may close before all is sent.
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(
                f"http://{host}:{port}/segment", content=endless(), headers=headers, timeout=30
            )
            assert answer.status_code in (413, 422)
        assert httpx.get(f"http://{host}:{port}/health").json()["status"] == "UP"


def test_a_service_that_is_told_to_stop_answers_what_it_has_begun(tmp_path):
    environment = os.environ | {"PICOSAM2_TOKEN": TOKEN, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "picosam2", "serve", "--port", "0", "--threads", "1"]
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        line = process.stderr.readline()
        port = int(line.split()[0].rpartition(":")[2])
        assert line.startswith("http://127.0.0.1:")
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=60)
                break
            assert time.monotonic() < until
        head, body = upload()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head + body[:1000])
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(body[1000:])
            status, content = reply(connection)
        assert (status, content["image"]) == (200, "chelsea.jpg")
        assert process.wait(30) == 0
        assert process.stderr.read() == "stopped\n"
        # ONNX Runtime leaves a few bytes of its own.
        assert {path.name for path in tmp_path.iterdir()} <= {".ses"}
    finally:
        process.kill()
        process.stderr.close()


def test_a_port_that_is_taken_and_an_empty_token_are_refused():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert_refused(run("serve", "--port", port), f"cannot listen on 127.0.0.1, port {port}")
    assert_refused(run("serve", "--token", " "), "the token is empty")
    assert_refused(run("serve", "--token", "a\nb"), "must be of printable ASCII")
    assert_refused(run("serve", "--token", "tür"), "must be of printable ASCII")
    # From a file with line ends of Windows.
    assert check_token("abc\r\n") == "abc"
    assert_refused(run("serve", "--label-studio", "here"), "is an address")


def test_the_load_test_finds_every_answer_right_and_none_lost(tmp_path):
    """In small: benchmarks/serving.py at its full size is ``make load-test``."""
    script = Path(__file__).parent.parent / "benchmarks" / "serving.py"
    command = [
        sys.executable, script, "--seconds", "2", "--clients", "6", "--slow", "1", "--broken", "1",
        "--json", tmp_path / "load.json",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    load = json.loads((tmp_path / "load.json").read_text())
    assert load["answered"] > 6
    assert load["broken_uploads"] > 0
    assert (load["failures"], load["log"]) == ({}, "stopped")

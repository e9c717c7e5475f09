"""The HTTP service by Ray Serve: two replicas answer as one predictor does (make test-cluster)."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from picosam2 import InputError
from picosam2.examples import EXAMPLES

requests = pytest.importorskip("requests")

pytestmark = pytest.mark.cluster
CLICK = {"points": "[[230, 160]]"}


@pytest.fixture(scope="module")
def address():
    """Two replicas on a Ray of this machine."""
    pytest.importorskip("ray.serve")
    import ray
    from ray import serve

    from picosam2.integrations.ray_serve import build

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PICOSAM2_TOKEN", "secret")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_raylet_start_wait_time_s", "300")  # on a busy machine
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        serve.run(build({"replicas": "2"}))
        yield f"http://127.0.0.1:{port}"
        serve.shutdown()
        ray.shutdown()


def test_arguments_are_checked(monkeypatch):
    pytest.importorskip("ray.serve")
    from picosam2.integrations.ray_serve import build

    monkeypatch.delenv("PICOSAM2_TOKEN", raising=False)
    for arguments, message in (
        ({"replica": "2"}, "known are replicas"),
        ({"replicas": "two"}, "number of at least 1"),
        ({}, "PICOSAM2_TOKEN"),
    ):
        with pytest.raises(InputError, match=message):
            build(arguments)


def ask(address, **fields):
    file = fields.pop("file", None)
    headers = {"Authorization": "Bearer secret"}
    files = {"image": file} if file else {"image_id": (None, fields.pop("image_id"))}
    return requests.post(
        f"{address}/segment", headers=headers, files=files, data=fields, timeout=60
    )


def test_two_replicas_answer_as_the_predictor(address, predictor, cat):
    from ray import serve

    deployment = serve.status().applications["default"].deployments["picosam2"]
    assert deployment.replica_states == {"RUNNING": 2}
    photograph = (EXAMPLES / "images" / "chelsea.jpg").read_bytes()
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: ask(address, file=photograph, **CLICK), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    predictor.set_image(cat)
    ((rle, _),) = predictor.predict_rle([[230, 160]], [1])
    assert all(answer.json()["segmentation"] == rle for answer in answers)


def test_a_photograph_is_kept_by_the_replica_that_was_sent_it(address):
    photograph = (EXAMPLES / "images" / "chelsea.jpg").read_bytes()
    image_id = ask(address, file=photograph, **CLICK).headers["Image-Id"]
    with ThreadPoolExecutor(8) as clients:
        again = clients.map(lambda _: ask(address, image_id=image_id, **CLICK), range(32))
        assert {answer.status_code for answer in again} == {200, 404}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"weights": "nosuch"}, "nosuch"),
        ({"weights": "correcting"}, "is a correcting network"),
        ({"replicas": 0}, "replicas is a number of at least 1"),
    ],
)
def test_what_replicas_could_not_do_is_refused_where_it_is_seen(monkeypatch, arguments, says):
    pytest.importorskip("ray.serve")
    from picosam2.integrations.ray_serve import build

    monkeypatch.setenv("PICOSAM2_TOKEN", "secret")
    with pytest.raises(InputError, match=says):
        build(arguments)


def test_the_token_is_needed(address):
    answer = requests.post(f"{address}/segment", timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")

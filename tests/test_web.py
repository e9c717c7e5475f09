"""The page's server: what it serves, whom it refuses, and what it writes."""

import contextlib
import http.client
import json
import os
import shutil
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from picosam2.cli import main
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES
from picosam2.page.folder import ChangedError, Folder, version_of
from picosam2.page.server import PageServer
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL, weights_path

WEB = Path(__file__).parent.parent / "web"
EMPTY = {"images": [], "annotations": [], "categories": []}


def test_the_networks_of_the_page_are_made_of_the_shipped_weights():
    """Else: python scripts/web_models.py web/models (make edge-tools has what it needs)."""
    made_of = json.loads((WEB / "models" / "models.json").read_text())["weights_sha256"]
    assert made_of == {
        name: sha256(weights_path(name).read_bytes()).hexdigest()
        for name in (DEFAULT_MODEL, CORRECTING_MODEL)
    }


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>page</title>")
    (folder / "assets" / "a.js").write_text("let a = 1;")
    (folder / "assets" / "a.js.br").write_bytes(b"packed")
    return folder


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    shutil.copy(EXAMPLES / "images" / "coffee.jpg", folder / "b.jpg")
    shutil.copy(EXAMPLES / "images" / "coffee.jpg", folder / "a.JPG")
    (folder / "notes.txt").write_text("secret")
    (tmp_path / "outside.jpg").write_bytes(b"outside")
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    return folder


@pytest.fixture
def server(built, photographs):
    with PageServer(built, folder=Folder(photographs)) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server, path, method="GET", body=None, **headers):
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    # A request may be refused before its body is sent: the answer is there all the same.
    with contextlib.suppress(BrokenPipeError):
        connection.request(method, path, body, named)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def call(server, path, method="GET", body=None, **headers):
    return ask(server, f"/api/{path}", method, body, X_PicoSAM2_Token=server.token, **headers)


def test_the_page_has_the_headers_that_threads_and_safety_need(server):
    answer, content = ask(server, "/")
    assert (answer.status, content) == (200, b"<title>page</title>")
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    policy = answer.headers["Content-Security-Policy"]
    assert "'wasm-unsafe-eval'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert server.server_address[0] == "127.0.0.1"


def test_packed_files_go_to_browsers_that_take_them(server):
    answer, content = ask(server, "/assets/a.js", Accept_Encoding="gzip, br")
    assert (answer.headers["Content-Encoding"], content) == ("br", b"packed")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    answer, content = ask(server, "/assets/a.js")
    assert (answer.headers["Content-Encoding"], content) == (None, b"let a = 1;")
    assert ask(server, "/", "HEAD")[1] == b""


@pytest.mark.parametrize("path", ["/../outside.jpg", "/%2e%2e/outside.jpg", "/assets", "/nothing"])
def test_nothing_else_is_served(server, path):
    assert ask(server, path)[0].status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_origins_are_refused(server, headers):
    assert call(server, "photographs", **headers)[0].status == 403
    assert ask(server, "/", **headers)[0].status == 403


def test_the_token_is_needed(server):
    assert server.token in server.address
    for token in ("", "wrong", "é"):
        answer, _ = ask(server, "/api/photographs", X_PicoSAM2_Token=token.encode())
        assert answer.status == 403
    put = ask(server, "/api/annotations", "PUT", json.dumps(EMPTY))
    assert put[0].status == 403


def test_photographs_of_the_folder_and_no_other_file(server, photographs):
    assert json.loads(call(server, "photographs")[1]) == ["a.JPG", "b.jpg"]
    answer, content = call(server, "photograph?name=b.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert content == (photographs / "b.jpg").read_bytes()
    for name in ("notes.txt", "link.jpg", "../outside.jpg", "%2e%2e/outside.jpg", "%00.jpg", ""):
        assert call(server, f"photograph?name={name}")[0].status == 404


def test_annotations_are_written_whole_with_one_backup(server, photographs):
    answer, content = call(server, "annotations")
    assert (content, answer.headers["ETag"]) == (b"null", '"none"')
    first = json.dumps({**EMPTY, "info": 1})
    answer, _ = call(server, "annotations", "PUT", first, If_Match='"none"')
    assert answer.status == 200
    path = photographs / "instances.json"
    assert path.read_text() == first
    assert not (photographs / "instances.json.bak").exists()
    second = json.dumps({**EMPTY, "info": 2})
    answer, _ = call(server, "annotations", "PUT", second, If_Match=answer.headers["ETag"])
    assert (answer.status, path.read_text()) == (200, second)
    assert sorted(path.name for path in photographs.iterdir()) == [
        "a.JPG",
        "b.jpg",
        "instances.json",
        "link.jpg",
        "notes.txt",
    ]


def test_a_file_that_changed_is_not_overwritten(photographs):
    path = photographs / "instances.json"
    mine, theirs = (json.dumps({**EMPTY, "info": who}).encode() for who in ("mine", "theirs"))
    path.write_bytes(theirs)
    folder = Folder(photographs)
    with pytest.raises(ChangedError):
        folder.write(mine, "none")
    assert path.read_bytes() == theirs
    version = folder.write(mine, version_of(theirs))
    assert (photographs / "instances.json.bak").read_bytes() == theirs
    folder.write(mine, version)
    assert (photographs / "instances.json.bak").read_bytes() == theirs


def test_what_is_no_annotation_file_is_refused(server, photographs):
    for content in (b"", b"[]", b"{}", b'{"images": 1}', b"\xff", b"[" * 100_000):
        answer, said = call(server, "annotations", "PUT", content, If_Match='"none"')
        assert answer.status == 422
        assert b"lists" in said
    assert not (photographs / "instances.json").exists()
    assert call(server, "annotations", "PUT", iter([b"{}"]))[0].status == 411
    assert call(server, "photographs", "PUT", "{}")[0].status == 404
    assert ask(server, "/index.html", "PUT", "{}")[0].status == 405


def test_what_cannot_be_read_is_said(server, photographs):
    (photographs / "instances.json").mkdir()
    for method, body in (("GET", None), ("PUT", json.dumps(EMPTY))):
        answer, said = call(server, "annotations", method, body)
        assert answer.status == 422
        assert b"cannot read instances.json" in said


def test_names_that_no_annotation_file_can_have_are_left_out(server, photographs):
    (photographs / "b.jpg").rename(os.fsdecode(os.fsencode(photographs) + b"/\xff.jpg"))
    assert json.loads(call(server, "photographs")[1]) == ["a.JPG"]


def test_folders_with_images_are_read_as_coco_has_them(tmp_path):
    shutil.copytree(EXAMPLES, tmp_path / "set", ignore=shutil.ignore_patterns("*.py"))
    names = Folder(tmp_path / "set").photographs()
    assert names == ["astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"]


def test_errors_are_one_line(tmp_path, built, monkeypatch):
    monkeypatch.setattr("picosam2.page.BUILT", tmp_path / "nowhere")
    run = CliRunner().invoke(main, ["web", "--no-browser"])
    assert run.exit_code == 2
    assert "make web" in run.output
    assert run.output.count("\n") == 1
    for path, reason in ((tmp_path / "no", "is not a folder"), (built, "holds no photograph")):
        with pytest.raises(InputError, match=reason):
            Folder(path)
    with PageServer(built) as server, pytest.raises(InputError, match="--port"):
        PageServer(built, server.server_address[1])

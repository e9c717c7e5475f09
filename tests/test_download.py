"""``picosam2 data download``: COCO's archives from a server of our own; all that goes wrong."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import shlex
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import Result
from test_cli import assert_refused, run

from picosam2.data import download
from picosam2.data.source import ShardFolder
from picosam2.examples import EXAMPLES

PHOTOS, ANNOTATIONS = "/zips/val2017.zip", "/annotations/annotations_trainval2017.zip"


@dataclass
class Server:
    """What it serves and how; what it was asked for.

    Args:
        files: content by path.
        ranges: whether it can start in the middle.
        breaks_after: bytes of each answer after which the connection breaks, answer by answer.
        asked: path and Range header of each request.
    """

    files: dict[str, bytes]
    ranges: bool = True
    breaks_after: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.asked.append((request.path, wanted))
        content = self.files.get(request.path)
        if content is None:
            request.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        if start:
            last = len(content) - 1
            request.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        request.end_headers()
        rest = content[start:]
        request.wfile.write(rest[: self.breaks_after.pop(0)] if self.breaks_after else rest)


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, value in files.items():
            archive.writestr(name, value)
    return content.getvalue()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """The examples as COCO publishes its photographs, at an address of this machine."""
    photos = {f"val2017/{p.name}": p.read_bytes() for p in (EXAMPLES / "images").iterdir()}
    instances = (EXAMPLES / "instances.json").read_bytes()
    annotations = {f"annotations/instances_{s}.json": instances for s in ("train2017", "val2017")}
    serves = Server({PHOTOS: zipped({"val2017/": b""} | photos), ANNOTATIONS: zipped(annotations)})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            serves.answer(self)

        def log_message(self, *_):
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(download, "HOST", f"http://127.0.0.1:{listening.server_port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def published(path: str) -> download.Archive:
        content = serves.files[path]
        return download.Archive(path[1:], len(content), hashlib.sha256(content).hexdigest())

    monkeypatch.setattr(download, "IMAGES", {"val2017": published(PHOTOS)})
    monkeypatch.setattr(download, "ANNOTATIONS", published(ANNOTATIONS))
    yield serves
    listening.shutdown()
    listening.server_close()


def fetch(out: Path) -> Result:
    return run("data", "download", "coco", "--split", "val2017", "--out", out)


def assert_complete(result: Result, out: Path) -> None:
    assert result.exit_code == 0, result.output
    photos = {path.name: path.read_bytes() for path in (out / "val2017").iterdir()}
    assert photos == {path.name: path.read_bytes() for path in (EXAMPLES / "images").iterdir()}
    annotations = json.loads((out / "annotations" / "instances_val2017.json").read_text())
    assert annotations == json.loads((EXAMPLES / "instances.json").read_text())
    assert not list(out.glob("*.part"))


def test_a_dry_run_only_says_what_would_be_fetched(tmp_path):
    result = run("data", "download", "coco", "--out", tmp_path / "coco", "--dry-run")
    assert result.exit_code == 0
    photos, annotations = result.stdout.splitlines()
    assert photos.startswith("http://images.cocodataset.org/zips/val2017.zip  816 MB  SHA-256 ")
    assert "annotations/annotations_trainval2017.zip  253 MB  SHA-256 " in annotations
    assert not list(tmp_path.iterdir())


def test_the_next_command_imports_what_was_fetched(tmp_path, server, examples):
    result = fetch(tmp_path / "coco")
    assert_complete(result, tmp_path / "coco")
    _, _, command = result.stderr.splitlines()[-1].partition("then: picosam2 ")
    assert run(*shlex.split(command)).exit_code == 0
    photographs = ShardFolder(tmp_path / "coco" / "shards")
    assert [p.record.annotations for p in photographs] == [p.record.annotations for p in examples]


def test_what_is_there_is_not_fetched_again(tmp_path, server):
    fetch(tmp_path)
    server.asked.clear()
    assert_complete(fetch(tmp_path), tmp_path)
    (tmp_path / "annotations" / "instances_val2017.json").unlink()
    assert_complete(fetch(tmp_path), tmp_path)
    assert not server.asked


def test_an_interrupted_download_goes_on_where_it_stopped(tmp_path, server):
    (tmp_path / "val2017.zip.part").write_bytes(server.files[PHOTOS][:50_000])
    assert_complete(fetch(tmp_path), tmp_path)
    assert server.asked[0] == (PHOTOS, "bytes=50000-")


def test_a_download_that_was_whole_is_only_checked(tmp_path, server):
    (tmp_path / "val2017.zip.part").write_bytes(server.files[PHOTOS])
    assert_complete(fetch(tmp_path), tmp_path)
    assert server.asked == [(ANNOTATIONS, None)]


def test_a_connection_that_breaks_is_taken_up_again(tmp_path, server):
    server.breaks_after = [30_000, 20_000]
    assert_complete(fetch(tmp_path), tmp_path)
    assert [wanted for _, wanted in server.asked[:3]] == [None, "bytes=30000-", "bytes=50000-"]


def test_a_connection_that_brings_nothing_more_is_said(tmp_path, server):
    server.breaks_after = [30_000, 0]
    assert_refused(fetch(tmp_path), "broke off at 30,000 of", "same command again")
    assert (tmp_path / "val2017.zip.part").stat().st_size == 30_000
    assert_complete(fetch(tmp_path), tmp_path)


def test_a_server_that_cannot_go_on_begins_again(tmp_path, server):
    server.ranges = False
    (tmp_path / "val2017.zip.part").write_bytes(b"x" * 50_000)
    assert_complete(fetch(tmp_path), tmp_path)
    assert server.asked[0] == (PHOTOS, "bytes=50000-")


def test_a_file_of_another_digest_is_removed(tmp_path, server):
    content = bytearray(server.files[PHOTOS])
    content[1000] ^= 1
    server.files[PHOTOS] = bytes(content)
    assert_refused(fetch(tmp_path), "not the published file", "SHA-256", "it is removed")
    assert not list(tmp_path.iterdir())


def test_another_file_is_refused_before_it_is_written(tmp_path, server):
    """Such as the login page of a hotel's network."""
    server.files[PHOTOS] = b"<html>Welcome!</html>"
    assert_refused(fetch(tmp_path), "gives 21 bytes instead of", "another network")
    assert not list(tmp_path.iterdir())


def test_a_damaged_archive_that_was_there_is_refused_and_kept(tmp_path, server):
    (tmp_path / "val2017.zip").write_bytes(b"fetched by other means")
    assert_refused(fetch(tmp_path), "not the published file", f"remove {tmp_path}/val2017.zip")
    assert (tmp_path / "val2017.zip").is_file()
    assert not server.asked


def test_a_file_that_is_gone_is_said(tmp_path, server):
    del server.files[ANNOTATIONS]
    assert_refused(fetch(tmp_path), ANNOTATIONS, "404 Not Found")
    assert {path.name for path in tmp_path.iterdir()} == {"val2017", "val2017.zip"}


def test_a_server_that_cannot_be_reached_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert_refused(fetch(tmp_path), "cannot reach http://127.0.0.1:9/zips/val2017.zip", "refused")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, server):
    (tmp_path / "file").write_text("a file")
    assert_refused(fetch(tmp_path / "file"), "cannot write in", "file")
    assert not server.asked


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said(tmp_path, server):
    (tmp_path / "val2017.zip.part").symlink_to("/dev/full")
    assert_refused(fetch(tmp_path), "cannot write in", "No space left on device")

"""Outputs: whole or not at all; links are followed, devices and pipes written to."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from test_cli import PHOTO, assert_refused, run

from picosam2 import InputError
from picosam2.data.storage import writing
from picosam2.examples import EXAMPLES
from picosam2.files import new_folder, replacing, scratch_folder

CLICK = ("segment", PHOTO, "--point", "230,160", "--threads", "1")


def write(path: Path, text: str = "new") -> None:
    with replacing(path) as temporary:
        temporary.write_text(text)


def fail_half_way(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def picosam2(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "picosam2", *map(str, arguments)]
    return subprocess.run(command, check=True, text=True, **options)


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name, target in (("here", "elsewhere/file"), ("twice", "here")):
        (tmp_path / name).symlink_to(target)
    write(tmp_path / "twice", "first: the file is not there yet")
    write(tmp_path / "twice")
    assert (tmp_path / "elsewhere" / "file").read_text() == "new"
    assert (tmp_path / "here").is_symlink()
    assert (tmp_path / "twice").is_symlink()
    assert {p.name for p in tmp_path.rglob("*")} == {"elsewhere", "file", "here", "twice"}


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match=r"cannot write .*links"):
        write(tmp_path / "a")
    assert (tmp_path / "a").is_symlink()


def test_a_failure_leaves_the_file_behind_a_link_as_it_was(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "link")
    assert (tmp_path / "file").read_text() == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"file", "link"}


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, and what was read from it once its writer has closed it."""
    path, content = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: content.append(path.read_bytes()))
    reader.start()

    def read() -> bytes:
        reader.join(timeout=60)
        return content[0]

    yield path, read
    if reader.is_alive():
        path.write_bytes(b"")


@pytest.mark.parametrize("write_to", [replacing, lambda path: writing(str(path))])
def test_a_pipe_gets_the_content_and_stays(pipe, write_to):
    path, read = pipe
    with write_to(path) as temporary:
        temporary.write_text("new")
    assert read() == b"new"
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_failure_sends_nothing_down_a_pipe(pipe):
    path, read = pipe
    with pytest.raises(RuntimeError):
        fail_half_way(path)
    path.write_bytes(b"whole")
    assert read() == b"whole"


def outputs(target: Path) -> dict[str, tuple[object, ...]]:
    """Every option of every verb that names a file to write."""
    return {
        "segment": (*CLICK, "--json", target),
        "eval": ("eval", "--data", PHOTO.parents[1], "--limit", 1, "--protocol", "box",
                 "--json", target),
        "index": ("data", "index", PHOTO.parents[1], "--json", target),
        "bench": ("bench", "--rounds", 1, "--threads", 1, "--json", target),
    }  # fmt: skip


@pytest.mark.parametrize("verb", outputs(Path()))
def test_every_output_may_be_a_device(verb, tmp_path):
    """A link to one, so that nothing is lost where the product would replace it."""
    device = tmp_path / "null"
    device.symlink_to("/dev/null")
    result = run(*outputs(device)[verb])
    assert result.exit_code == 0, result.output
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert device.is_symlink()


@pytest.mark.parametrize("verb", outputs(Path()))
def test_every_output_may_be_a_link(verb, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to("file.json")
    assert run(*outputs(link)[verb]).exit_code == 0
    assert link.is_symlink()
    json.loads((tmp_path / "file.json").read_text())


OVER_INPUTS = {
    "the photograph": ("segment", "cat.jpg", "--point", "230,160", "--json", "cat.jpg"),
    "a link to it": ("segment", "cat.jpg", "--point", "230,160", "--json", "link.jpg"),
    "the boxes": ("segment", "cat.jpg", "--boxes", "masks.rle.json", "--json", "masks.rle.json"),
    "boxes that a format's file would be": (
        "segment", "cat.jpg", "--boxes", "cat.txt", "--format", "yolo-seg", "--out", ".",
    ),
    "boxes that all masks' file would be": (
        "segment", ".", "--boxes", "masks.rle.json", "--format", "rle",
    ),
    "a photograph behind the link of a picture": (
        "segment", "dog.jpg", "link.jpg", "--point", "230,160",
    ),
    "two results": ("segment", "cat.jpg", "--point", "230,160", "--json", "new", "--out", "new"),
    "the annotations": ("data", "index", ".", "--json", "instances.json"),
    "the annotations measured": ("eval", "--data", ".", "--json", "instances.json"),
    "the video": ("track", "video.mp4", "--point", "1,1", "--out", "video.mp4"),
    "the prompts": ("track", "video.mp4", "--prompts", "prompts.json", "--json", "prompts.json"),
}  # fmt: skip


@pytest.mark.parametrize("command", OVER_INPUTS.values(), ids=OVER_INPUTS)
def test_nothing_is_written_over_what_is_read(tmp_path, monkeypatch, command):
    box = {"file_name": "cat.jpg", "bbox": [60, 10, 240, 285]}
    contents = {
        "instances.json": (EXAMPLES / "instances.json").read_bytes(),
        "masks.rle.json": json.dumps([box]).encode(),
        "cat.txt": b"cat.jpg,60,10,300,295",
        "cat.jpg": PHOTO.read_bytes(),
        "dog.jpg": PHOTO.read_bytes(),
        "video.mp4": b"no video: it is not opened",
        "prompts.json": b'[{"points": [[1, 1]]}]',
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link.jpg").symlink_to("cat.jpg")
    (tmp_path / "dog.jpg.mask.png").symlink_to("cat.jpg")
    monkeypatch.chdir(tmp_path)
    assert_refused(run(*command), "is read too" if "new" not in command else "written twice")
    for path in tmp_path.iterdir():
        if path.is_symlink():
            path.unlink()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_its_name_is_written_to(name, tmp_path):
    """As a pipe, and as a file that the shell has opened and others have written to."""
    piped = picosam2(*CLICK, "--json", name, capture_output=True).stdout
    assert json.loads(piped)["area"] > 0
    with (tmp_path / "file").open("w+") as file:
        file.write("before\n")
        file.flush()
        picosam2(*CLICK, "--json", name, stdout=file)
        file.write("after\n")
    first, *content, last = (tmp_path / "file").read_text().splitlines()
    assert (first, last) == ("before", "after")
    assert json.loads("".join(content)) == json.loads(piped)


def test_pictures_follow_links_too(tmp_path):
    (tmp_path / "chelsea.jpg.mask.png").symlink_to("mask.png")
    assert run(*CLICK, "--out", tmp_path).exit_code == 0
    assert (tmp_path / "chelsea.jpg.mask.png").is_symlink()
    assert (tmp_path / "mask.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_is_no_file(tmp_path):
    assert_refused(run(*CLICK, "--json", tmp_path), "it is a folder")


@pytest.mark.parametrize("name", ["x" * 255, "日" * 84 + ".ab"])
def test_a_name_as_long_as_a_name_may_be_is_written(tmp_path, name):
    write(tmp_path / name)
    with new_folder(tmp_path / "folders" / name):
        pass
    assert (tmp_path / name).read_text() == "new"
    assert len(list(tmp_path.rglob("*"))) == 3


def test_a_longer_name_is_refused(tmp_path):
    for written in (replacing, new_folder):
        with (
            pytest.raises(InputError, match=r"cannot write .*too long"),
            written(tmp_path / ("x" * 256)),
        ):
            pass


def test_what_a_killed_process_of_the_same_number_left_is_replaced(tmp_path):
    """In containers the next process has the number of the one that was killed."""
    leftover = f".out.{socket.gethostname()}.{os.getpid()}.tmp"
    (tmp_path / leftover).mkdir()
    (tmp_path / leftover / "half").write_text("half")
    with new_folder(tmp_path / "out") as folder:
        (folder / "whole").write_text("whole")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "whole"]


def test_temporary_folders_of_killed_processes_go(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = tmp_path / f"picosam2.{socket.gethostname()}.{ended.pid}.x.tmp"
    left.mkdir()
    (left / "model").write_text("half")
    with scratch_folder() as folder, scratch_folder() as other:
        assert set(tmp_path.iterdir()) == {folder, other}
    assert not list(tmp_path.iterdir())

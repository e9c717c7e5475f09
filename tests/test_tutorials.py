"""The documents' examples run: Python as it stands there, commands of the tutorials in small."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT

import picosam2
from picosam2.cli import main
from picosam2.examples import EXAMPLES

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PAGES = [*TUTORIALS, ROOT / "docs" / "reference.md", ROOT / "docs" / "raspberry-pi.md"]
# What tests have not (a teacher and its labels, the tools of a target, a browser), and what takes
# long and has tests of its own.
LEFT_OUT = [
    "teacher ",
    "label ",
    "labels/",
    "--loss ",
    "export ",
    "fit ",
    "bench",
    "web ",
    "--everything",
]
# In small.
SMALLER = [("--samples 100000", "--samples 8")]


def python_blocks(document) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", document.read_text(), re.M | re.S)


def commands(document) -> list[str]:
    found = re.findall(r"^ {4}picosam2 (.*)$", document.read_text(), re.M)
    return [c for c in found if not any(left_out in f"{c} " for left_out in LEFT_OUT)]


@pytest.mark.parametrize("page", [p for p in PAGES if python_blocks(p)], ids=lambda p: p.stem)
def test_python_runs(page, tmp_path, monkeypatch):
    if "import av" in page.read_text():
        pytest.importorskip("av")
    if "to_supervision" in page.read_text():
        pytest.importorskip("supervision")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in python_blocks(page):
        exec(compile(block, page.name, "exec"), names)


def test_every_public_name_has_its_description_and_an_example():
    page = (ROOT / "docs" / "reference.md").read_text()
    code = "".join(python_blocks(ROOT / "docs" / "reference.md"))
    for name in picosam2.__all__:
        assert f"::: picosam2.{name}\n" in page
        assert re.search(rf"\b{name}\b", code), name


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with what the tutorials speak of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    for name in ("mine", "held-out", "coco-val"):
        (tmp_path / name).symlink_to(EXAMPLES)
    for name in ("photos", "photographs"):
        (tmp_path / name).mkdir()
        shutil.copy(EXAMPLES / "images" / "chelsea.jpg", tmp_path / name)
    # As the page for the browser writes it; of the other photographs it is said that they miss.
    shutil.copy(EXAMPLES / "instances.json", tmp_path / "photos")
    box = {"image_id": "chelsea.jpg", "category_id": 1, "bbox": [120, 30, 210, 260], "score": 0.9}
    (tmp_path / "detections.json").write_text(json.dumps([box]))
    return tmp_path


@pytest.mark.parametrize("tutorial", [t for t in TUTORIALS if commands(t)], ids=lambda p: p.stem)
def test_its_commands_run(tutorial, workplace, cat):
    for needed in ("torch", "onnx", "shapely"):
        pytest.importorskip(needed)
    if "clip.mp4" in tutorial.read_text():
        pytest.importorskip("av")
        from test_video import write_video

        frames = [np.roll(cat[:, :450], 3 * step, axis=1) for step in range(3)]
        write_video(workplace / "clip.mp4", frames)
    for command in commands(tutorial):
        for whole, small in SMALLER:
            command = command.replace(whole, small)
        result = CliRunner().invoke(main, shlex.split(command, comments=True))
        assert result.exit_code == 0, f"{command}\n{result.output}"

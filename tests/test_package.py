"""The wheel, installed in a clean environment of its own, segments a photograph."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

from picosam2.examples import EXAMPLES
from picosam2.installation import how_to_install


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return out


def test_the_wheel_is_at_most_14_megabytes_and_holds_the_weights(built):
    (wheel,) = built.glob("*.whl")
    assert wheel.stat().st_size <= 14e6
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "small/picosam2-int8.onnx", "small/picosam2-fp32.onnx", "small/picosam2.safetensors",
        "paper/picosam2-int8.onnx", "README.md",
        "correcting/picosam2-int8.onnx",
    ):  # fmt: skip
        assert f"picosam2/weights/{name}" in names
    # 8 MB that training, exporting and comparing read.
    for family in ("correcting", "paper"):
        assert f"picosam2/weights/{family}/picosam2.safetensors" not in names
    assert "picosam2/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_is_the_same_bytes_twice(built, tmp_path):
    """From another folder, whose files have other times."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (again,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", str(again)]
    subprocess.run(command, check=True, capture_output=True)
    (first,), (second,) = built.glob("*.whl"), (again / "dist").glob("*.whl")
    names = [sorted(zipfile.ZipFile(wheel).namelist()) for wheel in (first, second)]
    assert names[0] == names[1]
    assert first.read_bytes() == second.read_bytes()


def test_the_sdist_holds_tests_and_examples(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "tests/test_package.py",
        "src/picosam2/examples/instances.json",
        "constraints.txt",
    } <= names


def test_the_wheel_segments_in_a_clean_environment_without_pytorch(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install = [environment / "bin" / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, wheel], check=True, capture_output=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    photo = EXAMPLES / "images" / "chelsea.jpg"
    command = [environment / "bin" / "picosam2", "segment", photo, "--point", "230,160"]
    result = subprocess.run(
        [*command, "--json", "-", "--out", tmp_path / "out"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=clean,
    )
    assert json.loads(result.stdout)["area"] > 1000
    assert (tmp_path / "out" / "chelsea.jpg.overlay.png").is_file()
    site = next((environment / "lib").glob("python*")) / "site-packages"
    assert not (site / "torch").exists()
    tools = ("pip", "setuptools", "pip-", "setuptools-", "_distutils", "pkg_resources")
    installed = [p for p in site.rglob("*") if p.is_file()]
    size = sum(
        p.stat().st_size
        for p in installed
        if not p.relative_to(site).parts[0].startswith(tools) and "__pycache__" not in p.parts
    )
    assert size < 300e6
    training = subprocess.run(
        [environment / "bin" / "picosam2", "train", "--data", EXAMPLES, "--out", tmp_path / "run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=clean,
    )
    assert training.returncode == 2
    assert "pip install 'picosam2[train]'" in training.stderr
    assert "Traceback" not in training.stderr
    # No index has the package: pip takes the wheel that is installed.
    printed = training.stderr.partition("needs torch: ")[2]
    dry = [*shlex.split(printed), "--dry-run", "--no-index", "--no-deps"]
    found = subprocess.run(dry, check=True, capture_output=True, text=True, env=clean)
    assert "already satisfied: picosam2[train]" in found.stdout


def test_a_clone_names_itself_where_an_extra_is_missing():
    """An editable install of the clone itself, which needs no index either."""
    *_, what = shlex.split(how_to_install("train"))
    assert what == f"{ROOT}[train]"
    assert (ROOT / "pyproject.toml").is_file()

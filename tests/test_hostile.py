"""Machines that are against it: no home, no network, private files, a full disk."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import PHOTO
from verbs import QUICK, read_contents

from picosam2.examples import EXAMPLES

CLICK = ("segment", PHOTO, "--point", "230,160", "--threads", "1", "--out")
IMPORT = ("data", "import", "coco", EXAMPLES, "--out")
TRAIN = ("train", "--data", EXAMPLES, "--init", "random", "--samples", 20, "--batch", 2,
         "--sizes", "32:1", "--processes", 1, "--out")  # fmt: skip
EVAL = ("eval", "--data", EXAMPLES, "--protocol", "box", "--peers", "whole-crop", "--out")
NOBODY = 65534


def run(*arguments: object, **options) -> subprocess.CompletedProcess:
    """The command line with little to do (``kill/quick.py``)."""
    command = [sys.executable, str(QUICK), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def assert_refused(result: subprocess.CompletedProcess, word: str) -> None:
    """One line that says why, exit code 2."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert len(errors) == 1
    assert word in errors[0], errors


def limit_files(size: int):
    """A function that lets this process write no file beyond ``size`` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "shards"
    assert run(*IMPORT, folder, "--per-shard", 1).returncode == 0
    return folder


def commands(shards: Path) -> dict[str, tuple[tuple[object, ...], int]]:
    """By verb: a command without the name of its output, and a size that does not do for it."""
    return {
        "segment": (CLICK, 1_000),
        "import": (IMPORT, 20_000),
        "label": (("label", shards, "--out"), 20_000),
        "train": (TRAIN, 1_000_000),
        "eval": (EVAL, 1_500),
        "export": (("export", "onnx", "--out"), 1_000_000),
    }


VERBS = list(commands(Path()))


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_that_may_not_grow_is_refused_and_leaves_nothing_half_written(
    verb, shards, tmp_path
):
    """As on a full disk; once there is room, the same command ends well."""
    command, size = commands(shards)[verb]
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    result = run(*command, tmp_path / "out", preexec_fn=limit_files(size), env=environment)
    assert_refused(result, "File too large")
    assert not [name for name in read_contents(tmp_path) if name.endswith(".tmp")]
    assert run(*command, tmp_path / "out", env=environment).returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_refused_and_what_was_there_stays(verb, shards, small_disk):
    (small_disk / "earlier").write_text("earlier")
    with (small_disk / "filling").open("wb") as file:
        file.write(bytes((1 << 20) - (3 << 12)))
    command, _ = commands(shards)[verb]
    assert_refused(run(*command, small_disk / "out"), "No space left on device")
    assert (small_disk / "earlier").read_text() == "earlier"
    assert not list(small_disk.rglob("*.tmp"))


@pytest.mark.parametrize("verb", VERBS)
def test_a_private_umask_makes_private_files(verb, shards, tmp_path):
    command, _ = commands(shards)[verb]
    result = run(*command, tmp_path / "out", umask=0o077)
    assert result.returncode == 0, result.stderr
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*")]
    assert modes
    assert not [mode for mode in modes if mode & 0o077]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becomes another user")
def test_a_home_that_cannot_be_read(tmp_path):
    """What needs no home works; what wants to keep something there says that it cannot."""
    (tmp_path / "home").mkdir(mode=0o700)
    out = tmp_path / "out"
    out.mkdir()
    os.chown(out, NOBODY, NOBODY)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if k not in ("PICOSAM2_CACHE", "TMPDIR")}
    environment |= {"HOME": str(tmp_path / "home")}
    nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "env": environment}
    result = run(*CLICK, out, cwd=out, **nobody)
    assert result.returncode == 0, result.stderr
    assert (out / f"{PHOTO.name}.mask.png").stat().st_uid == NOBODY
    assert_refused(run("teacher", "fetch", cwd=out, **nobody), "home")
    missing = run("eval", "--data", EXAMPLES, "--peers", "sam2-tiny", "--out", out / "e", **nobody)
    assert_refused(missing, "home")


@pytest.mark.skipif(not shutil.which("npm"), reason="without npm there is nothing to refuse")
def test_no_network_is_one_line(tmp_path):
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0"}
    environment = os.environ | nowhere | {"PICOSAM2_CACHE": str(tmp_path / "cache")}
    result = run("teacher", "fetch", env=environment | {"npm_config_cache": str(tmp_path / "npm")})
    assert_refused(result, "npm pack")
    assert not list(tmp_path.glob("cache/**/*.onnx"))

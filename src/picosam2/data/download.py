"""COCO's public archives: fetched with resume, checked, unpacked into the layout of ``import``."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from picosam2.errors import InputError
from picosam2.files import new_folder, replacing

HOST = "http://images.cocodataset.org"
TIMEOUT_S = 60
CHUNK = 1 << 20


@dataclass(frozen=True)
class Archive:
    """A file that was published once and does not change.

    Args:
        path: on the host.
        size: in bytes.
        sha256: of its content.
    """

    path: str
    size: int
    sha256: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"{HOST}/{self.path}"

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.rpartition("/")[2]


# Sizes and digests: TensorFlow Datasets' url_checksums/coco.txt; torchvision has the same digests.
ANNOTATIONS = Archive(
    "annotations/annotations_trainval2017.zip",
    252_907_541,
    "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
)
IMAGES = {
    "val2017": Archive(
        "zips/val2017.zip",
        815_585_330,
        "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
    ),
    "train2017": Archive(
        "zips/train2017.zip",
        19_336_861_798,
        "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
    ),
}


def download_coco(split: str, out: Path) -> None:
    """Fetch and unpack a split: ``OUT/SPLIT/*.jpg`` and ``OUT/annotations/instances_SPLIT.json``.

    What is there already is not fetched again; an interrupted download goes on where it stopped.

    Args:
        split: a name in ``IMAGES``.
        out: the folder; the archives are kept in it.

    Raises:
        InputError: the host cannot be reached or answers something else, or the disk is full.
    """
    images, annotations = out / split, out / "annotations" / f"instances_{split}.json"
    if not (images.is_dir() and any(images.iterdir())):
        _unpack_folder(fetch(IMAGES[split], out), images)
    if not annotations.is_file():
        _unpack_file(fetch(ANNOTATIONS, out), f"annotations/{annotations.name}", annotations)


def fetch(archive: Archive, folder: Path) -> Path:
    """The archive's file in ``folder``, fetched if it is not there, its SHA-256 checked.

    Raises:
        InputError: as for ``download_coco``.
    """
    path = folder / archive.name
    part = folder / f"{archive.name}.part"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            _check(path, archive, f"remove {path} and run the same command again")
            return path
        while (before := _size(part)) < archive.size:
            _go_on(archive, part)
            # A connection that breaks is taken up again as long as it brings something.
            if _size(part) <= before:
                raise InputError(
                    f"{archive.url} broke off at {_size(part):,} of {archive.size:,} bytes: "
                    "run the same command again to go on"
                )
        try:
            _check(part, archive, "it is removed, run the same command again")
        except InputError:
            # Going on with it can never give the right file.
            part.unlink()
            raise
        part.replace(path)
    return path


# urllib is enough: pooch checks digests but does not resume, and what fsspec needs for HTTP
# (aiohttp) neither resumes nor is in the base install.
def _go_on(archive: Archive, part: Path) -> None:
    start = _size(part)
    request = urllib.request.Request(archive.url)
    if start:
        request.add_header("Range", f"bytes={start}-")
    with _answer(request) as response:
        _check_size(response, archive)
        resumes = (response.headers["Content-Range"] or "").startswith(f"bytes {start}-")
        if not resumes:
            start = 0
        bar = tqdm(
            desc=archive.name, initial=start, total=archive.size, unit="B", unit_scale=True, delay=1
        )
        with bar, part.open("ab" if resumes else "wb") as file:
            for chunk in _chunks(response):
                file.write(chunk)
                bar.update(len(chunk))


@contextmanager
def _answer(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        raise InputError(f"{request.full_url} answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"cannot reach {request.full_url}: {reason}; try again later") from None
    with response:
        yield response


def _check_size(response: http.client.HTTPResponse, archive: Archive) -> None:
    """Refuse another file, such as a proxy's login page, before it is written."""
    whole = response.headers["Content-Length"] if response.status == 200 else None
    size = (response.headers["Content-Range"] or "").rpartition("/")[2] or whole
    if size and size.isdecimal() and int(size) != archive.size:
        raise InputError(
            f"{archive.url} gives {int(size):,} bytes instead of {archive.size:,}: "
            "it is not the published file, try another network or later"
        )


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What arrives, until the end or until the connection breaks."""
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException):
        return


def _check(path: Path, archive: Archive, remedy: str) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != archive.sha256:
        raise InputError(
            f"{path.name} is not the published file (SHA-256 {digest[:12]}… instead of "
            f"{archive.sha256[:12]}…): {remedy}"
        )


def _unpack_folder(path: Path, out: Path) -> None:
    """The files of an archive's one folder."""
    with zipfile.ZipFile(path) as archive, new_folder(out) as folder:
        members = [member for member in archive.infolist() if not member.is_dir()]
        for member in tqdm(members, desc=f"unpacking {path.name}", unit="file", delay=1):
            name = member.filename.rpartition("/")[2]
            with archive.open(member) as content, (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file, CHUNK)


def _unpack_file(path: Path, member: str, out: Path) -> None:
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(member) as content,
        replacing(out) as temporary,
        temporary.open("wb") as file,
    ):
        shutil.copyfileobj(content, file, CHUNK)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write in {folder}: {error.strerror or error}") from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0

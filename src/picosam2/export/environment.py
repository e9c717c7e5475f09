"""Tools that cannot share an environment with this package: each gets one of its own, in the cache.

``isolated/NAME.txt`` has its pinned packages, ``isolated/NAME.py`` what runs in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from tqdm import tqdm

from picosam2.cache import cache_folder
from picosam2.errors import InputError
from picosam2.files import scratch_folder

ISOLATED = Path(__file__).parent / "isolated"
PACKAGE = Path(__file__).parents[1]
LAST_LINES = 6
AT_ONCE = 12


def run_isolated(environment: str, arguments: Sequence[str | Path], doing: str) -> None:
    """Run ``picosam2.export.isolated.ENVIRONMENT`` in its environment, made where it is missing.

    Args:
        environment: ``imx500`` or ``litert``.
        arguments: of the module.
        doing: what it does, for the user.

    Raises:
        InputError: the environment cannot be made, or the tool fails; with the tool's own words.
    """
    python = prepare(environment) / "bin" / "python"
    # Only this package is shared: the tools keep their own versions of everything else.
    with scratch_folder() as folder:
        (folder / "picosam2").symlink_to(PACKAGE)
        command = [python, "-m", f"picosam2.export.isolated.{environment}", *arguments]
        run_tool(command, doing, PYTHONPATH=str(folder))


def run_tool(command: Sequence[str | Path], doing: str, **variables: str) -> str:
    """Run a program, showing that it works.

    Args:
        command: program and arguments.
        doing: what it does, for the user.
        variables: of its environment, beside this process's own.

    Returns:
        What it said.

    Raises:
        InputError: it failed; with its last lines.
    """
    # Variables that point Python at another environment's packages would mix them.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=inherited | {"PYTHONUNBUFFERED": "1"} | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            close_fds=False,
        )
    except OSError as error:
        raise InputError(f"cannot run {command[0]}: {error.strerror}") from None
    with process:
        assert process.stdout is not None
        try:
            for line in tqdm(process.stdout, desc=doing, unit=" lines", mininterval=1):
                if line.strip():
                    lines.append(line.strip())
            status = process.wait()
        finally:
            # An interrupt must not leave the tool working.
            process.kill()
    if status:
        said = " | ".join(lines[-LAST_LINES:])
        raise InputError(f"{doing} failed ({Path(command[0]).name}): {said}")
    return "\n".join(lines)


def prepare(environment: str) -> Path:
    """The folder of an environment; what it lacks is installed, after a stop the rest.

    Raises:
        InputError: it cannot be made.
    """
    requirements, folder = ISOLATED / f"{environment}.txt", environment_folder(environment)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Several exports may need it at once; a tool inherits the lock and holds it to its end.
        with folder.with_suffix(".lock").open("w") as lock:
            os.set_inheritable(lock.fileno(), True)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_ready(environment):
                _install(requirements, folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from None
    return folder


def is_ready(environment: str) -> bool:
    """Whether an environment has all that it needs."""
    folder = environment_folder(environment)
    return (folder / "ready").is_file() and (folder / "bin" / "python").is_file()


def environment_folder(environment: str) -> Path:
    """Where an environment belongs: other packages and another Python are another place."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = (ISOLATED / f"{environment}.txt").read_bytes()
    digest = hashlib.sha256(packages + version.encode()).hexdigest()[:12]
    return cache_folder("environments") / f"{environment}-{digest}"


def _install(requirements: Path, folder: Path) -> None:
    python, record = folder / "bin" / "python", folder / "installed.txt"
    if not python.is_file():
        shutil.rmtree(folder, ignore_errors=True)
    packages = requirements.read_text().split()
    # PyTorch first, with what it needs: what needs PyTorch must not bring another build.
    packages.sort(key=lambda package: not package.startswith("torch=="))
    done = record.read_text().split() if record.is_file() else []
    left = [package for package in packages if package not in done]
    click.echo(f"{folder}: {len(left)} of {len(packages)} packages to install", err=True)
    if not python.is_file():
        run_tool([sys.executable, "-m", "venv", folder], "making a virtual environment")
    # What a stop has left half installed is written over; modules are compiled as they are used.
    pip: list[str | Path] = [python, "-m", "pip", "install", "--ignore-installed", "--no-compile"]
    pip += ["--disable-pip-version-check", "--progress-bar", "off"]
    number = len(packages) - len(left)
    while left:
        alone = left[0].startswith("torch==")
        # Each start of pip takes two seconds, and a stop costs what it was installing.
        group = left[: 1 if alone else AT_ONCE]
        left = left[len(group) :]
        number += len(group)
        doing = f"{requirements.stem} {number}/{len(packages)}: {', '.join(group)}"
        run_tool([*pip, *([] if alone else ["--no-deps"]), *group], doing)
        with record.open("a") as file:
            file.writelines(f"{package}\n" for package in group)
    (folder / "ready").touch()

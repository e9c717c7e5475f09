"""``kill -9`` at random moments of a run; the next run must end as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from verbs import QUICK, Contents, Verb, read_contents

POLL_SECONDS = 0.002
# After a kill every process of the run has this long to notice.
GRACE_SECONDS = 90.0


@dataclass(frozen=True)
class Whole:
    """A run that nothing disturbed.

    Args:
        contents: what it wrote.
        until_writing: seconds to the first file.
        duration: seconds to the end.
    """

    contents: Contents
    until_writing: float
    duration: float


def run_whole(verb: Verb, sandbox: Path) -> Whole:
    """Run a verb undisturbed, from an empty folder."""
    shutil.rmtree(sandbox, ignore_errors=True)
    started = time.monotonic()
    process = _start(verb, sandbox)
    while process.poll() is None and not _writes(sandbox):
        time.sleep(POLL_SECONDS)
    until_writing = time.monotonic() - started
    _succeed(process, sandbox)
    return Whole(read_contents(sandbox), until_writing, time.monotonic() - started)


def kill_and_run_again(verb: Verb, whole: Whole, sandbox: Path, number: int, seed: int) -> Contents:
    """Kill one run at a random moment, let the next one end, and give what is there then.

    Runs with an even number are killed at any moment, with an odd one once they write; of every
    four, two lose their first process alone, and two all of them.
    """
    draw = random.Random(f"{seed} {number}")
    from_writing = number % 2 == 1
    longest = whole.duration - (whole.until_writing if from_writing else 0)
    while True:
        shutil.rmtree(sandbox, ignore_errors=True)
        process = _start(verb, sandbox)
        while from_writing and process.poll() is None and not _writes(sandbox):
            time.sleep(POLL_SECONDS)
        moment = draw.uniform(0, longest)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            break
        # It was done before the moment came.
        longest = moment
    if number % 4 < 2:
        os.kill(process.pid, signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _wait_for_the_others(sandbox)
    _succeed(_start(verb, sandbox), sandbox, verb.whole_or_not)
    return read_contents(sandbox)


def _start(verb: Verb, sandbox: Path) -> subprocess.Popen[bytes]:
    temporary = sandbox / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(QUICK), *verb.arguments, "--out", str(sandbox / "out")]
    environment = {"TMPDIR": str(temporary), "RAY_TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(QUICK.parent), *sys.path])
    with (sandbox.parent / f"{sandbox.name}.log").open("ab") as log:
        return subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )


def _writes(sandbox: Path) -> bool:
    """Whether there is a file or folder beside the temporary folder."""
    return any(entry.name != "tmp" for entry in os.scandir(sandbox))


def _succeed(process: subprocess.Popen[bytes], sandbox: Path, whole_or_not: bool = False) -> None:
    """Wait for the end, which must be a good one.

    Raises:
        AssertionError: it failed, and not because all is there.
    """
    code = process.wait()
    said = (sandbox.parent / f"{sandbox.name}.log").read_text(errors="replace")
    done = whole_or_not and code == 2 and "is there already" in said.splitlines()[-1]
    assert code == 0 or done, f"exit code {code}: {said[-2000:]}"


def _wait_for_the_others(sandbox: Path) -> None:
    """Wait for the processes of a run that was killed: none may stay.

    Raises:
        AssertionError: one stays.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    while left := _processes_of(sandbox):
        assert time.monotonic() < deadline, f"processes stay: {left}"
        time.sleep(0.05)


def _processes_of(sandbox: Path) -> list[str]:
    mark = f"TMPDIR={sandbox / 'tmp'}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found

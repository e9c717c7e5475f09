"""One reader in a process of its own: its inputs, their limits, and what they took.

Usage: python fuzz/worker.py READER COUNT SEED FOLDER
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import re
import resource
import sys
import time
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from readers import READERS, REFUSALS

SECONDS = 10
MEMORY = 1 << 30
# Hypothesis remembers what it has drawn: the memory of more inputs would be its own.
AT_ONCE = 5000


def resident() -> int:
    """The most bytes that this process has held so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def limit_memory() -> None:
    """At most a gigabyte more of addresses than now."""
    status = Path("/proc/self/status").read_text()
    now = 1024 * int(re.search(r"VmSize:\s*(\d+)", status).group(1))
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))


def main(name: str, count: int, number: int, folder: Path) -> None:
    """Read damaged inputs until one fails or all are done; print the figures as JSON."""
    reader = READERS[name]
    folder.mkdir(parents=True)
    if reader.prepare:
        reader.prepare(folder)
    figures = {"inputs": 0, "refused": 0, "slowest_s": 0.0}
    faulthandler.enable()

    def read(content: bytes) -> None:
        (folder / reader.file).write_bytes(content)
        # A reader that hangs in C cannot be interrupted: the process ends, its input stays.
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        start = time.perf_counter()
        try:
            reader.read(folder)
        except REFUSALS as error:
            figures["refused"] += 1
            if "\n" in str(error):
                raise ValueError(f"more than one line: {error}") from None
        finally:
            faulthandler.cancel_dump_traceback_later()
            figures["inputs"] += 1
            figures["slowest_s"] = max(figures["slowest_s"], time.perf_counter() - start)

    # What is imported at the first reading is not the input's.
    (folder / reader.file).write_bytes(b"")
    with contextlib.suppress(Exception):
        reader.read(folder)
    gc.collect()
    limit_memory()
    before = resident()
    figures |= {"inputs": 0, "refused": 0, "slowest_s": 0.0}
    for start in range(0, count, AT_ONCE):
        run = seed(number + start)(
            settings(
                max_examples=min(AT_ONCE, count - start),
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )(given(reader.damaged())(read))
        )
        run()
    figures["memory_mb"] = (resident() - before) / 1e6
    print(json.dumps(figures))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    # Bars and notes of thousands of inputs say nothing.
    os.environ["TQDM_DISABLE"] = "1"
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))

"""A load test of ``picosam2 serve`` on loopback: many clients, slow ones, and broken uploads.

python benchmarks/serving.py --seconds 30

Each client uploads a photograph with a click, asks three times more about it by its id, and begins
anew. Every answer is compared with the one of a service at rest. Clients share the machine with
the service, in a process of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from picosam2.examples import EXAMPLES

TOKEN = "load-test"
BOUNDARY = "picosam2-load-test"
CLICKS = 4
# Said by a service that is too slow for its deadline, or full: of requests, or of photographs.
REFUSALS = (404, 408, 429, 504)
# Of the small photographs: a slow client takes some seconds for one.
SLOW_BYTES, SLOW_PAUSE = 2000, 0.05


@dataclass
class Tally:
    """What came of the requests."""

    answered: list[float] = field(default_factory=list)
    slow_answered: list[float] = field(default_factory=list)
    broken: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    # Another answer than the expected one, or none.
    failures: Counter[str] = field(default_factory=Counter)

    def note_other(self, who: str, status: int) -> None:
        """Of an answer that is not a mask, or another mask: a machine may be too slow, or full."""
        if status in REFUSALS:
            self.refused[status] += 1
        else:
            self.failures[f"{who}: {status}"] += 1


@dataclass(frozen=True)
class Photo:
    """A photograph, and clicks on it."""

    name: str
    content: bytes
    clicks: list[tuple[float, float]]


def photos() -> list[Photo]:
    """The bundled photographs, with clicks drawn by a seed."""
    draw = random.Random(0)
    coco = json.loads((EXAMPLES / "instances.json").read_text())
    return [
        Photo(
            image["file_name"],
            (EXAMPLES / "images" / image["file_name"]).read_bytes(),
            [
                (draw.uniform(0, image["width"] - 1), draw.uniform(0, image["height"] - 1))
                for _ in range(CLICKS)
            ],
        )
        for image in coco["images"]
    ]


def request(photo: Photo, click: tuple[float, float], image_id: str | None) -> bytes:
    """As it goes over the wire."""
    parts = [f'name="points"\r\n\r\n{json.dumps([click])}'.encode()]
    if image_id is None:
        head = f'name="image"; filename="{photo.name}"\r\n\r\n'.encode()
        parts.append(head + photo.content)
    else:
        parts.append(f'name="image_id"\r\n\r\n{image_id}'.encode())
    dash = f"--{BOUNDARY}".encode()
    body = b"".join(
        dash + b"\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts
    )
    body += dash + b"--\r\n"
    head = (
        "POST /segment HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {TOKEN}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """A connection to the service, that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, port: int) -> AsyncIterator[Connection]:
        """To a port of this machine."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def ask(self, message: bytes) -> tuple[int, str, bytes]:
        """Send a request; give the status, the photograph's id and the body."""
        self.writer.write(message)
        return await self.answer()

    async def answer(self) -> tuple[int, str, bytes]:
        """What the service says."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?im)^content-length: (\d+)", head)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        found = re.search(r"(?im)^image-id: (\S+)", head)
        return int(head.split()[1]), found[1] if found else "", body


async def click_on(port: int, photo: Photo) -> list[bytes]:
    """The answers to each click, one by one."""
    async with Connection.opened(port) as connection:
        answers = []
        for click in photo.clicks:
            status, _, body = await connection.ask(request(photo, click, None))
            assert status == 200, body
            answers.append(body)
        return answers


async def ordinary(
    port: int, number: int, end: float, expected: dict[str, list[bytes]], tally: Tally
) -> None:
    """Uploads, then asks again about the same photograph, until the end."""
    own = photos()
    async with Connection.opened(port) as connection:
        turn = number
        while time.monotonic() < end:
            photo, image_id = own[turn % len(own)], None
            turn += 1
            for click, wanted in zip(photo.clicks, expected[photo.name], strict=True):
                start = time.monotonic()
                message = request(photo, click, image_id)
                status, image_id, body = await connection.ask(message)
                if status == 200 and body == wanted:
                    tally.answered.append(time.monotonic() - start)
                else:
                    tally.note_other("ordinary", status)
                    break


async def slow(port: int, end: float, expected: dict[str, list[bytes]], tally: Tally) -> None:
    """Uploads in drops, and waits for the answer."""
    photo = min(photos(), key=lambda photo: len(photo.content))
    message = request(photo, photo.clicks[0], None)
    while time.monotonic() < end:
        start = time.monotonic()
        async with Connection.opened(port) as connection:
            for place in range(0, len(message), SLOW_BYTES):
                connection.writer.write(message[place : place + SLOW_BYTES])
                await asyncio.sleep(SLOW_PAUSE)
            status, _, body = await connection.answer()
            if status == 200 and body == expected[photo.name][0]:
                tally.slow_answered.append(time.monotonic() - start)
            else:
                tally.note_other("slow", status)


async def broken(port: int, seed: int, end: float, tally: Tally) -> None:
    """Breaks off uploads somewhere."""
    draw = random.Random(seed)
    own = photos()
    while time.monotonic() < end:
        photo = draw.choice(own)
        message = request(photo, photo.clicks[0], None)
        async with Connection.opened(port) as connection:
            connection.writer.write(message[: draw.randrange(1, len(message))])
            with contextlib.suppress(ConnectionError):
                await connection.writer.drain()
        tally.broken += 1
        await asyncio.sleep(draw.uniform(0.5, 2))


async def watch(process: int, end: float, memory: list[tuple[float, float]]) -> None:
    """The service's resident memory, MB, each second."""
    start = time.monotonic()
    while time.monotonic() < end:
        memory.append((time.monotonic() - start, resident(process)))
        await asyncio.sleep(1)


def resident(process: int) -> float:
    """MB of physical memory that a process holds."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1000


def processor_seconds(process: int) -> float:
    """CPU time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(port: int, process: int, arguments: argparse.Namespace) -> dict[str, object]:
    """All clients at once, and what came of it."""
    expected = {photo.name: await click_on(port, photo) for photo in photos()}
    at_rest = resident(process)
    tally, memory = Tally(), []
    spent = processor_seconds(process)
    start = time.monotonic()
    end = start + arguments.seconds
    clients = [
        *(ordinary(port, n, end, expected, tally) for n in range(arguments.clients)),
        *(slow(port, end, expected, tally) for _ in range(arguments.slow)),
        *(broken(port, n, end, tally) for n in range(arguments.broken)),
        watch(process, end, memory),
    ]
    for error in await asyncio.gather(*clients, return_exceptions=True):
        if error is not None:
            tally.failures[f"lost: {error!r}"] += 1
    seconds = time.monotonic() - start
    spent = processor_seconds(process) - spent
    last_half = [mb for second, mb in memory if second >= arguments.seconds / 2]
    return {
        "seconds": round(seconds, 1),
        "clients": {
            "ordinary": arguments.clients,
            "slow": arguments.slow,
            "broken": arguments.broken,
        },
        "answered": len(tally.answered),
        "requests_per_second": round(len(tally.answered) / seconds, 1),
        "cpu_ms_a_request": round(1000 * spent / max(1, len(tally.answered)), 1),
        "p50_ms": round(1000 * float(np.percentile(tally.answered, 50))),
        "p99_ms": round(1000 * float(np.percentile(tally.answered, 99))),
        "slow_answered": len(tally.slow_answered),
        "broken_uploads": tally.broken,
        "refused": dict(tally.refused),
        "failures": dict(tally.failures),
        "memory_mb": {
            "at_rest": round(at_rest),
            "highest": round(max(mb for _, mb in memory)),
            "second_half_lowest": round(min(last_half)),
            "second_half_highest": round(max(last_half)),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--slow", type=int, default=8)
    parser.add_argument("--broken", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--keep", type=int, default=256, help="MB of kept photographs")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "picosam2", "serve", "--port", "0"]
    command += ["--threads", str(arguments.threads), "--keep", str(arguments.keep)]
    service = subprocess.Popen(
        command, env=os.environ | {"PICOSAM2_TOKEN": TOKEN}, stderr=subprocess.PIPE, text=True
    )
    try:
        port = int(service.stderr.readline().split()[0].rpartition(":")[2])
        result = asyncio.run(load(port, service.pid, arguments))
    finally:
        service.send_signal(signal.SIGTERM)
        said = service.communicate(timeout=60)[1]
    result["log"] = said.strip()
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    if service.returncode or result["failures"]:
        sys.exit(1)


if __name__ == "__main__":
    main()

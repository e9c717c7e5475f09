"""Photographs by their address in a Label Studio task: from one server, and nowhere else."""

from __future__ import annotations

import base64
import binascii
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit

from picosam2.serving.config import ServingConfig
from picosam2.serving.deadline import Deadline
from picosam2.serving.refusals import Refused


@dataclass(frozen=True)
class LabelStudio:
    """Where the photographs of Label Studio's tasks may be fetched.

    Args:
        url: of the server; without one, tasks must hold their photographs (``data:``).
        key: its access token, sent to this server alone.
    """

    url: str = ""
    key: str = field(default="", repr=False)


class _SameServer(urllib.request.HTTPRedirectHandler):
    """Follows redirections within a server: the key is not for others, nor are their networks."""

    # The names are urllib's.
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse another server."""
        if _server(newurl) != _server(req.full_url):
            raise Refused(422, f"{req.full_url} leads to another server: {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(
    address: str, source: LabelStudio, config: ServingConfig, deadline: Deadline
) -> tuple[str, bytes]:
    """A file by the address that a task has for it.

    Args:
        address: ``data:``, or of the server, whose name may be left out.
        source: the server.
        config: ``megabytes`` are the most of a file.
        deadline: until when.

    Returns:
        A name for it, and its content.

    Raises:
        Refused: 413 it is too large; 422 it is of another server, or the server does not give it.
    """
    limit = int(config.megabytes * 1e6)
    if address.startswith("data:"):
        return "task", _of_data(address, limit)
    if not source.url:
        raise Refused(422, "say where photographs are fetched: picosam2 serve --label-studio URL")
    try:
        url = urljoin(source.url, address)
        is_elsewhere = _server(url) != _server(source.url)
    except ValueError as error:
        raise Refused(422, f"{address} is no address: {error}") from None
    if is_elsewhere:
        raise Refused(422, f"photographs are fetched from {source.url} alone, not {url}")
    # As Label Studio asks for it; the key stays off where there is none.
    headers = {"Authorization": f"Token {source.key}"} if source.key else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.build_opener(_SameServer).open(
            request, timeout=max(0.1, deadline.left)
        ) as reply:
            content = _read(reply, limit, deadline)
    except (OSError, ValueError) as error:
        raise Refused(422, f"cannot fetch {url}: {error}") from None
    if len(content) > limit:
        raise Refused(413, f"{url} has more than {config.megabytes:g} MB: reduce it first")
    return PurePosixPath(unquote(urlsplit(url).path)).name or "task", content


def _read(reply: Any, limit: int, deadline: Deadline) -> bytes:
    """At most a byte more than the limit."""
    parts, size = [], 0
    while size <= limit and (part := reply.read(min(2**20, limit + 1 - size))):
        deadline.check()
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _of_data(address: str, limit: int) -> bytes:
    head, _, text = address.partition(",")
    if len(text) > 3 * limit:
        raise Refused(413, "the task's photograph is too large: reduce it first")
    if not head.endswith(";base64"):
        return unquote_to_bytes(text)
    try:
        return base64.b64decode(unquote(text), validate=True)
    except binascii.Error as error:
        raise Refused(422, f"the task's data: is broken: {error}") from None


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default

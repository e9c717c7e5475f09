"""Requests' bodies, read into memory within limits: nothing is written to disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from picosam2.serving.config import ServingConfig
from picosam2.serving.deadline import Deadline
from picosam2.serving.refusals import Refused

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass
class Form:
    """The fields of a form.

    Args:
        texts: by name.
        files: file name and content, by name.
    """

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)


class _InMemory(MultiPartParser):
    """Starlette's parser puts files on disk from a megabyte on; here the body is bounded before."""

    spool_max_size = 2**62


async def read_body(request: Request, config: ServingConfig, deadline: Deadline) -> bytes:
    """A request's whole body.

    Raises:
        Refused: 408 it comes too slowly; 413 it is too large.
        ClientDisconnect: it breaks off.
    """
    chunks = [chunk async for chunk in _limited(request, config, deadline)]
    return b"".join(chunks)


async def read_form(request: Request, config: ServingConfig, deadline: Deadline) -> Form:
    """A request's form.

    Raises:
        Refused: as ``read_body``; 415 it is no form; 422 it is broken, or a field comes twice.
        ClientDisconnect: it breaks off.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    stream = _limited(request, config, deadline)
    limit = int(config.megabytes * 1e6)
    parser: MultiPartParser | FormParser
    if kind == MULTIPART:
        parser = _InMemory(request.headers, stream, max_files=2, max_fields=32, max_part_size=limit)
    elif kind == FORM:
        parser = FormParser(request.headers, stream, max_fields=32, max_part_size=limit)
    else:
        raise Refused(415, f"send {MULTIPART}, not {kind or 'an untyped body'}")
    try:
        parsed = await parser.parse()
    except MultiPartException as error:
        raise Refused(422, f"the form is broken: {error.message}") from None
    form = Form()
    try:
        for name, value in parsed.multi_items():
            if name in form.texts or name in form.files:
                raise Refused(422, f"{name} is given twice: give it once")
            if isinstance(value, UploadFile):
                form.files[name] = value.filename or name, await value.read()
            else:
                form.texts[name] = value
    finally:
        await parsed.close()
    return form


async def _limited(
    request: Request, config: ServingConfig, deadline: Deadline
) -> AsyncGenerator[bytes, None]:
    """The body's parts as they come."""
    limit = int(config.megabytes * 1e6)
    too_large = Refused(
        413, f"a request has at most {config.megabytes:g} MB: reduce the photograph"
    )
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise too_large
    stream = request.stream()
    size = 0
    while True:
        try:
            async with asyncio.timeout(deadline.left):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(
                408, f"the upload took more than {config.seconds:g} s", {"Connection": "close"}
            ) from None
        size += len(chunk)
        if size > limit:
            raise too_large
        yield chunk

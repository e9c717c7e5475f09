"""Why a request is refused: one shape of JSON for all."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from picosam2.errors import EngineError, InputError

_LOG = logging.getLogger(__name__)

# What programs may go by; people read the message.
CODES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "upload_too_slow",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "busy",
    500: "internal_error",
    504: "timeout",
}


class Refused(Exception):  # noqa: N818  # it is the client's error, not ours
    """A request that is not answered.

    Args:
        status: HTTP's number, one of ``CODES``.
        message: one line that says what to do.
        headers: to be sent with it.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """``{"error": {"status": 413, "code": "too_large", "message": "..."}}``."""
    code = CODES.get(status, "error")
    error = {"status": status, "code": code, "message": " ".join(message.splitlines())}
    return JSONResponse({"error": error}, status, headers)


def add_refusals(app: FastAPI) -> None:
    """Answer every error of an application in that shape."""

    @app.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> JSONResponse:
        return refusal(error.status, str(error), error.headers)

    @app.exception_handler(InputError)
    def invalid(_: Request, error: InputError) -> JSONResponse:
        return refusal(422, str(error))

    @app.exception_handler(EngineError)
    def broken(_: Request, error: EngineError) -> JSONResponse:
        _LOG.error(str(error))
        return refusal(500, "this is a fault of the service: its log says more")

    @app.exception_handler(HTTPException)
    def no_such(_: Request, error: HTTPException) -> JSONResponse:
        return refusal(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    def gone(_: Request, __: ClientDisconnect) -> JSONResponse:
        # Nobody reads it.
        return refusal(400, "the upload broke off")

    @app.exception_handler(Exception)
    def failed(_: Request, __: Exception) -> JSONResponse:
        return refusal(500, "this is a fault of the service: its log says more")

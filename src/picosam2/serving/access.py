"""Who may ask: those who have the token."""

from __future__ import annotations

import base64
import binascii
import secrets

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from picosam2.serving.refusals import Refused

# Says it on the page of the interface; it lets everybody through.
_SCHEME = HTTPBearer(auto_error=False, description="the token that the service has printed")


class Access:
    """A dependency that lets through who sends the token.

    ``Authorization: Bearer TOKEN``; or ``Basic``, with any name and the token as the password, for
    tools that can do no more.

    Args:
        token: the secret.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def __call__(self, request: Request, _: object = Depends(_SCHEME)) -> None:
        """Refuse a request without it: 401."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).partition(b":")[2].decode()
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        elif kind.lower() != "bearer":
            given = ""
        if not secrets.compare_digest(given.strip().encode(), self._token):
            raise Refused(
                401,
                "send the token that the service has printed: Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )

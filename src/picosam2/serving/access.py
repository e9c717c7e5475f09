"""Who may ask: those who have the token."""

from __future__ import annotations

import base64
import binascii
import secrets

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from picosam2.errors import InputError
from picosam2.serving.refusals import Refused

# Says it on the page of the interface; it lets everybody through.
_SCHEME = HTTPBearer(auto_error=False, description="the token that the service has printed")


def check_token(token: str) -> str:
    """A token as clients can send it, without spaces around it.

    Raises:
        InputError: it is empty, or has what an HTTP header cannot hold.
    """
    token = token.strip()
    if not token:
        raise InputError("the token is empty: leave it out for a new one")
    if not (token.isascii() and token.isprintable()):
        raise InputError("the token must be of printable ASCII: clients send it in a header")
    return token


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

"""The HTTP service on many machines: Ray Serve around the same application.

``PICOSAM2_TOKEN=... serve run picosam2.integrations.ray_serve:build replicas=2``
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from fastapi import FastAPI
from ray import serve
from ray.serve import Application

from picosam2.errors import InputError
from picosam2.predictor import Predictor
from picosam2.runtime.engines import open_runtime
from picosam2.serving.access import check_token
from picosam2.serving.app import create_app
from picosam2.weights import DEFAULT_MODEL


def build(arguments: Mapping[str, str]) -> Application:
    """Ray Serve's builder; all replicas take the token of ``$PICOSAM2_TOKEN``.

    Each replica keeps the photographs that it was sent: for an ``image_id`` of another it answers
    404, as for one that is not kept any more, and the client sends the photograph again.

    Args:
        arguments: ``replicas`` (2), ``threads`` of each (1, and as many CPUs that Ray sets aside)
            and ``weights``.

    Raises:
        InputError: an argument is unknown or no number, the weights cannot be opened, or there is
            no token that a client can send.
    """
    given = {"replicas": "2", "threads": "1", "weights": DEFAULT_MODEL}
    if unknown := set(arguments) - set(given):
        raise InputError(f"{', '.join(sorted(unknown))}: known are {', '.join(given)}")
    given |= arguments
    for name in ("replicas", "threads"):
        if not str(given[name]).isdecimal() or int(given[name]) == 0:
            raise InputError(f"{name} is a number of at least 1, not {given[name]}")
    token = os.environ.get("PICOSAM2_TOKEN", "")
    if not token.strip():
        raise InputError("set PICOSAM2_TOKEN to what clients must send")
    token = check_token(token)
    weights, threads = given["weights"], int(given["threads"])
    # Here, where somebody sees it, and not in each replica.
    open_runtime(weights, None, 1)

    def application() -> FastAPI:
        """In each replica: the network is in its memory once."""
        return create_app(Predictor.from_pretrained(weights, threads=threads), token)

    deployment = serve.deployment(
        name="picosam2",
        num_replicas=int(given["replicas"]),
        ray_actor_options={"num_cpus": threads},
        max_ongoing_requests=64,
    )
    return deployment(serve.ingress(application)()).bind()

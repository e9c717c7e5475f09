"""What a service takes and keeps at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServingConfig:
    """What a service takes and keeps at most.

    Args:
        megapixels: of a photograph, by its header.
        megabytes: of a request.
        seconds: from the end of a request's head to its answer.
        kept_seconds: how long an uploaded photograph can be asked about again.
        kept_megabytes: memory of these photographs' pixels; the oldest go first.
        queue: requests at a time, from the end of their heads on; further ones are refused.
        workers: requests that are computed at a time, and so share batches.
        gather: seconds that a batch waits at most for the crops of other requests.
    """

    megapixels: float = 50
    megabytes: float = 20
    seconds: float = 30
    kept_seconds: float = 600
    kept_megabytes: float = 1024
    queue: int = 128
    workers: int = 8
    gather: float = 0.002

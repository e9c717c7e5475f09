"""A camera and a session, connected."""

from __future__ import annotations

from collections.abc import Iterator

from picosam2.camera.base import Camera, Frame
from picosam2.camera.session import Session


def drive(camera: Camera, session: Session) -> Iterator[Frame]:
    """Read frames, tell the session, set the region that it wants next.

    Yields:
        Each frame, when the session has seen it.
    """
    region = session.region
    camera.set_region(region)
    while (frame := camera.read()) is not None:
        if frame.logits is not None:
            session.read(frame.logits, frame.score)
        yield frame
        if session.region != region:
            region = session.region
            camera.set_region(region)

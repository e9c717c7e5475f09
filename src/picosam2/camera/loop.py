"""A camera and a session, connected."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from picosam2.camera.base import Camera, Frame
from picosam2.camera.record import Recorder
from picosam2.camera.session import Session
from picosam2.prompt import paste_region


@dataclass
class Summary:
    """What came of a run.

    Args:
        frames: that were read.
        found: those with a mask.
        times: of the network in the sensor, in ms, where they are known.
        needed: frames until the prompt is answered for the first time.
    """

    needed: int
    frames: int = 0
    found: int = 0
    times: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.frames} frames, {self.found} with the object found"
        if not self.found:
            text += f": the first answer comes with frame {self.needed}, play more"
        if self.times:
            text += f"; {statistics.median(self.times):.1f} ms in the sensor (median)"
        return text


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
        if session.region != region:
            region = session.region
            camera.set_region(region)
        yield frame


def run(
    camera: Camera, session: Session, frames: int | None = None, recorder: Recorder | None = None
) -> Summary:
    """Show the masks of a session on the camera's preview, until the frames end or Ctrl-C.

    Args:
        camera: an open one.
        session: with its prompt.
        frames: stop after so many.
        recorder: writes each frame down.
    """
    summary = Summary(session.first_answer)
    shown, mask = None, None
    try:
        for frame in islice(drive(camera, session), frames):
            answer = session.answer
            if answer is not shown:
                shown, mask = answer, None
                if answer is not None:
                    sizes = camera.frame_size, camera.preview_size
                    mask = paste_region(answer.logits, answer.region, *sizes) > 0
                camera.show(mask)
            summary.frames += 1
            summary.found += answer is not None
            if frame.inference_ms is not None:
                summary.times.append(frame.inference_ms)
            if recorder is not None:
                recorder.add(summary.frames, frame, session, mask)
    except KeyboardInterrupt:
        pass
    return summary

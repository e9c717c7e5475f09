"""Figures that others have published, to draw beside measured ones, marked as such."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One published figure.

    Args:
        system: its name.
        miou: in points.
        protocol: how its publication measured: the prompt, and where the IoU is over.
        parameters: of the network.
        milliseconds: a prompt; None where it is not published.
        where: on what it was timed.
    """

    system: str
    miou: float
    protocol: str
    parameters: float | None
    milliseconds: float | None
    where: str = ""


PUBLISHED = (
    Published("PicoSAM2 (paper)", 51.9, "click, in the crop", 1.3e6, 14.3, "IMX500, INT8"),
    Published("PicoSAM3 (paper)", 65.5, "box, in the crop", 1.37e6, 11.8, "IMX500"),
    Published("PicoSAM3 re-trained", 69.7, "box", 1.37e6, 8.6, "one CPU thread"),
    Published("MobileSAM (by that re-training)", 80.0, "box", 10e6, 407, "one CPU thread"),
    Published("NanoSAM ResNet18", 70.6, "box", None, 8.1, "Jetson AGX Orin"),
    Published("MobileSAM (NanoSAM's table)", 72.8, "box", 10e6, 39, "Jetson AGX Orin"),
)
# PicoSAM3's box mIoU in the crop, by the box's jitter in percent.
PUBLISHED_JITTER = {0: 65.3, 5: 64.4, 10: 62.5, 20: 58.1, 30: 53.7}

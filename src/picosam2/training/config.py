"""What a training run is, in one place."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from picosam2.errors import InputError
from picosam2.model import ModelConfig, SmallConfig
from picosam2.training.sampler import SamplerConfig


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the result of a run, apart from the data.

    Args:
        samples: crops seen in the whole run.
        batch: crops a step, over all processes together.
        sizes: (crop side, share of the samples), in order: small crops first are several times
            faster, the last part at 96 pixels adapts the network to its real input.
        lr: peak learning rate of Muon and AdamW; warms up, then a cosine to ``final_lr`` times it.
        encoder_rate: the learning rate of a pretrained encoder, times that of the rest.
        ema_decay: of the weights that are validated and shipped (BatchNorm statistics too).
        iou_weight: weight of the predicted-IoU loss.
        loss: a name in ``picosam2.training.losses.LOSSES``.
        seed: of the first weights and of every draw.
    """

    samples: int = 300_000
    batch: int = 32
    sizes: tuple[tuple[int, float], ...] = ((48, 0.13), (64, 0.52), (96, 0.35))
    lr: float = 2e-3
    final_lr: float = 0.01
    warmup_samples: int = 16_000
    encoder_rate: float = 0.3
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    iou_weight: float = 0.2
    loss: str = "supervised"
    seed: int = 0
    model: ModelConfig = field(default_factory=SmallConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)

    def __post_init__(self) -> None:
        if not self.model.learns_marks:
            object.__setattr__(self, "sampler", replace(self.sampler, marked=0.0))
        # What is drawn in training decides what the weights know.
        marks = self.sampler.box * self.sampler.marked > 0
        object.__setattr__(self, "model", replace(self.model, marks_boxes=marks))

    @property
    def steps(self) -> int:
        """Optimiser steps in the run."""
        return max(1, self.samples // self.batch)

    def size_at(self, step: int) -> int:
        """Side of the crops at a step, in pixels."""
        done, passed = step / self.steps, 0.0
        for size, share in self.sizes:
            passed += share
            if done < passed:
                return size
        return self.sizes[-1][0]

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON-ready values."""
        return asdict(self) | {"model": self.model.to_dict()}


def parse_sizes(text: str) -> tuple[tuple[int, float], ...]:
    """``TrainConfig.sizes`` from ``SIDE:SHARE,...``; the shares are scaled to sum to 1.

    Raises:
        InputError: not in this form, a side that is no multiple of 16 pixels, or a share that is
            not above 0.
    """
    sizes = [(_side(name), share) for name, share in _parse_shares("--sizes", text)]
    total = sum(share for _, share in sizes)
    return tuple((side, share / total) for side, share in sizes)


def parse_prompts(text: str, paste: float = 0.0) -> SamplerConfig:
    """Shares of native, box and scene crops from ``KIND:SHARE,...``; scaled clicks get the rest.

    Args:
        text: the shares.
        paste: the share of crops, of whatever kind, over which another object is pasted.

    Raises:
        InputError: not in this form, another kind, or shares that sum to more than 1.
    """
    shares = dict(_parse_shares("--prompts", text))
    if set(shares) - {"native", "box", "scene"} or sum(shares.values()) > 1:
        raise InputError(f"--prompts takes native, box and scene, up to 1 in all, not {text}")
    native, box, scene = (shares.get(kind, 0.0) for kind in ("native", "box", "scene"))
    return SamplerConfig(native=native, box=box, scene=scene, paste=paste)


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) < 16 or int(text) % 16:
        raise InputError(f"--sizes needs multiples of 16 pixels, not {text}")
    return int(text)


def _parse_shares(option: str, text: str) -> list[tuple[str, float]]:
    """Name and share of each part of ``NAME:SHARE,...``."""
    try:
        pairs = [part.split(":") for part in text.split(",")]
        shares = [(name, float(share)) for name, share in pairs]
    except ValueError:
        raise InputError(f"{option} must look like NAME:.6,NAME:.4, not {text}") from None
    if len(dict(shares)) < len(shares):
        raise InputError(f"{option} takes each name once, not {text}")
    for name, share in shares:
        if not 0 < share < float("inf"):
            raise InputError(f"{option} needs shares above 0, not {name}:{share:g}")
    return shares

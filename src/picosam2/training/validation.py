"""A look at the run now and then: figures on held-out photographs, and a picture of masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from picosam2.data.source import Source
from picosam2.evaluation.run import choose_objects, evaluate
from picosam2.files import replacing
from picosam2.masks import extent_centre
from picosam2.model import PicoSAM2
from picosam2.overlay import draw_overlay
from picosam2.predictor import Predictor
from picosam2.prompt import CROP_SIZE, Crop, cut
from picosam2.runtime.engines import open_runtime
from picosam2.runtime.torch import TorchRuntime
from picosam2.weights import DEFAULT_MODEL

PROTOCOLS = ["crop96", "box"]
TILES = 24
# Objects that a correcting network is asked about, and after how many clicks.
CORRECTED, CLICKS = 60, (1, 2, 3, 5, 8)


@dataclass(frozen=True)
class Validator:
    """Measures the averaged weights on a fixed choice of objects.

    Args:
        folder: photographs that the run does not train on.
        out: folder of the run; pictures go to ``out/validation``.
        objects: how many objects to measure.
    """

    folder: Source
    out: Path
    objects: int = 150

    def __post_init__(self) -> None:
        """Refuse now what would stop the run at its first validation; leave out what is broken.

        Raises:
            InputError: no object with a mask in a photograph that is whole.
        """
        choose_objects(self.folder, self.objects, seed=0)

    def __call__(self, network: PicoSAM2, step: int) -> dict[str, float]:
        """Figures by name (mIoU in 0..1), after writing a picture of masks.

        Of a correcting network the mIoU after several clicks, the first of which the package's
        network answers; without a picture.
        """
        runtime = TorchRuntime(network)
        if runtime.takes_prior:
            predictor = Predictor(open_runtime(DEFAULT_MODEL, None, 1), corrector=runtime)
            report = evaluate(self.folder, ["noc"], predictor, CORRECTED, progress=False)
            curve = report["protocols"]["noc"]["clicks"]["curve"]
            return {f"clicks{count}_miou": curve[count - 1] for count in CLICKS}
        report = evaluate(
            self.folder, PROTOCOLS, Predictor(runtime), limit=self.objects, progress=False
        )
        self._draw(runtime, step)
        return {f"{name}_miou": report["protocols"][name]["miou"] for name in PROTOCOLS}

    def _draw(self, runtime: TorchRuntime, step: int) -> None:
        """Crops of 96 native pixels with the true mask (left) and the predicted one (right)."""
        tiles = []
        for photograph, group in choose_objects(self.folder, TILES, seed=0):
            image = photograph.load()
            for annotation in group:
                mask = photograph.mask(annotation)
                crop = Crop(*extent_centre(mask), CROP_SIZE * photograph.native_scale)
                pixels = cut(image, crop)
                truth = cut(mask[..., None] * np.uint8(255), crop)[..., 0] > 127
                predicted = runtime(pixels[None])[0][0] > 0
                pair = [np.asarray(draw_overlay(pixels, m)) for m in (truth, predicted)]
                tiles.append(np.hstack(pair))
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 4)
        rows = [np.hstack(tiles[start : start + 4]) for start in range(0, len(tiles), 4)]
        with replacing(self.out / "validation" / f"{step:07d}.png") as temporary:
            Image.fromarray(np.vstack(rows)).save(temporary, format="PNG")

"""Photographs that the tests run on.

``picosam2.examples`` is in the package. Tests marked ``data`` need more: the folders of
``$PICOSAM2_DATA`` (default ``../shared/data``). They are skipped where the default is absent, and
fail where the variable is set but wrong.
"""

from __future__ import annotations

import os
from pathlib import Path

# Several processes of PyTorch's threads on the same cores take twice the time; it asks once.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest

from picosam2 import Predictor
from picosam2.data.coco import CocoFolder
from picosam2.data.import_run import ImportOptions, import_photographs
from picosam2.data.problems import Problems
from picosam2.examples import EXAMPLES
from picosam2.images import load_image

ROOT = Path(__file__).parent.parent
# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of annotated photographs that are not in the repository."""
    named = os.environ.get("PICOSAM2_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "coco-val" / "instances.json").is_file():
        if named:
            pytest.fail(f"PICOSAM2_DATA={named} has no coco-val/instances.json")
        pytest.skip("needs annotated photographs: set PICOSAM2_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def examples() -> CocoFolder:
    """Four photographs with outlines drawn by hand."""
    return CocoFolder(EXAMPLES)


@pytest.fixture(scope="session")
def cup(examples) -> tuple[np.ndarray, np.ndarray]:
    """The photograph of a cup, and its mask."""
    photograph = next(p for p in examples if p.record.image.file_name == "coffee.jpg")
    return photograph.load(), photograph.mask(photograph.objects[0])


@pytest.fixture(scope="session")
def example_shards(tmp_path_factory) -> Path:
    """The same photographs and outlines as shards, three photographs to a shard."""
    out = tmp_path_factory.mktemp("examples") / "shards"
    options = ImportOptions(per_shard=3)
    import_photographs("coco", str(EXAMPLES), str(out), options, Problems())
    return out


@pytest.fixture(scope="session")
def cat() -> np.ndarray:
    """The photograph of a cat, 300×451×3 uint8."""
    return load_image(EXAMPLES / "images" / "chelsea.jpg")


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """The shipped INT8 model."""
    return Predictor.from_pretrained(threads=1)


@pytest.fixture(scope="session")
def random_sam2(tmp_path_factory) -> str:
    """A Sam2Model with 110,000 random weights, large enough for masks of all sizes."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    hidden = 32
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, blocks_per_stage=[1] * 4, global_attention_blocks=[],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1] * 4,
    )  # fmt: skip
    config = transformers.Sam2Config(
        vision_config=transformers.Sam2VisionConfig(
            backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=hidden
        ),
        prompt_encoder_config={"hidden_size": hidden},
        mask_decoder_config={
            "hidden_size": hidden, "mlp_dim": 32, "num_attention_heads": 1,
            "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    model = transformers.Sam2Model(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data *= 6
    folder = tmp_path_factory.mktemp("sam2")
    model.save_pretrained(folder)
    return f"{folder}/"

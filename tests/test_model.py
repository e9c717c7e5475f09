"""The networks: their parameters and their multiplications are counted by PyTorch."""

from __future__ import annotations

import json

import pytest
import torch
from test_cli import assert_refused, run
from torch.utils.flop_counter import FlopCounterMode

from picosam2.checkpoint import load_weights, save_tensors, save_weights
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES
from picosam2.model import (
    FAMILIES,
    CameraModel,
    PaperConfig,
    PicoSAM2,
    SmallConfig,
    build,
    read_config,
)
from picosam2.training.start import Start
from picosam2.weights import weights_path


def parameters(network: PicoSAM2) -> int:
    return sum(p.numel() for p in network.parameters())


def convolution_macs(network: PicoSAM2) -> float:
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, 96, 96))
    return counter.get_total_flops() / 2


def test_the_papers_network_has_1262818_parameters_and_323_million_macs():
    network = build(PaperConfig(iou_head=False))
    assert parameters(network) == 1_262_818
    assert convolution_macs(network) == pytest.approx(323.05e6, abs=0.01e6)


def test_the_iou_output_adds_321_parameters_and_320_macs():
    network = build(PaperConfig())
    assert parameters(network) == 1_262_818 + 321
    plain = build(PaperConfig(iou_head=False))
    assert convolution_macs(network) - convolution_macs(plain) == 320


def test_the_small_network_has_at_most_a_third_of_the_multiplications():
    network = build(SmallConfig())
    assert parameters(network) == 793_026
    assert convolution_macs(network) == pytest.approx(85.39e6, abs=0.01e6)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_have_one_interface(family):
    network = build(FAMILIES[family].config()).eval()
    assert network.config.predicts_iou
    side = 4 * network.config.stride
    logits, iou_logits = network(torch.zeros(2, 3, side, side))
    assert logits.shape == (2, 1, side, side)
    assert iou_logits.shape == (2, 1, 1, 1)


def test_a_configuration_without_a_family_is_the_papers():
    values = PaperConfig(encoder=(8, 16), bottleneck=24, decoder=(16, 8)).to_dict()
    assert values.pop("family") == "paper"
    assert read_config(json.loads(json.dumps(values))) == PaperConfig((8, 16), 24, (16, 8))


def test_an_imagenet_encoder_is_found_in_a_clone_and_fits_the_small_network():
    start = Start("imagenet")
    torch.manual_seed(0)
    network, plain = start.network(SmallConfig()), build(SmallConfig())
    filters = network.state_dict()["stem.0.weight"]
    assert filters.abs().max() > 2 * plain.state_dict()["stem.0.weight"].abs().max()
    with pytest.raises(InputError, match="does not fit the encoder of the paper network"):
        start.network(PaperConfig())


def test_where_the_encoder_is_not_one_line_says_which_script_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr("picosam2.training.start.ENCODER_FILE", tmp_path / "none.safetensors")
    with pytest.raises(InputError, match=r"scripts/convert_encoder\.py makes it"):
        Start("imagenet").network(SmallConfig())


def test_a_run_begins_from_the_packages_weights_by_name():
    start = Start("paper")
    assert start.config(SmallConfig()) == PaperConfig()
    shipped = load_weights(weights_path("paper")).state_dict()
    for name, value in start.network(PaperConfig()).state_dict().items():
        assert torch.equal(shipped[name], value)
    with pytest.raises(InputError, match="no weights nothing: give a file, random, imagenet"):
        Start("nothing").network(SmallConfig())


@pytest.mark.parametrize(
    ("init", "family", "says"),
    [
        ("imagenet", "correcting", "--init imagenet has no correcting network: give --init small"),
        ("imagenet", "paper", "--init imagenet has no paper network: give --init random"),
        ("paper", "correcting", "--init paper is a paper network, not correcting"),
        ("small", "paper", "--init small is a small network, not paper"),
        ("correcting", "small", "--init correcting is a correcting network, not small"),
    ],
)
def test_a_family_that_the_first_weights_are_not_is_refused_before_anything(
    tmp_path, init, family, says
):
    arguments = ["--data", EXAMPLES, "--out", tmp_path / "run", "--init", init, "--family", family]
    assert_refused(run("train", *arguments), says)
    assert not list(tmp_path.iterdir())


def test_a_variant_is_one_line():
    network = build(PaperConfig(encoder=(16, 32), bottleneck=48, decoder=(32, 16)))
    logits, iou_logits = network.eval()(torch.zeros(2, 3, 64, 64))
    assert logits.shape == (2, 1, 64, 64)
    assert iou_logits.shape == (2, 1, 1, 1)


def test_encoder_and_decoder_need_the_same_depth():
    with pytest.raises(ValueError, match="same number of stages"):
        PaperConfig(encoder=(16, 32), decoder=(16,))


@pytest.mark.parametrize(
    ("family", "mean", "std"),
    [
        ("paper", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("small", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_the_camera_model_normalises_as_its_family_was_trained(family, mean, std):
    network = build(FAMILIES[family].config()).eval()
    image = torch.randint(0, 256, (1, 3, 96, 96)).float()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
    expected = network((image / 255 - mean) / std)[0]
    assert torch.allclose(CameraModel(network)(image)[0], expected, atol=1e-4)


def test_weights_keep_their_configuration_without_pickle(tmp_path):
    config = PaperConfig(encoder=(8, 16), bottleneck=24, decoder=(16, 8))
    network = build(config)
    save_weights(tmp_path / "small.safetensors", network)
    # Others may read what the umask lets them.
    (tmp_path / "other").touch()
    assert (tmp_path / "small.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
    loaded = load_weights(tmp_path / "small.safetensors")
    assert loaded.config == config
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


@pytest.mark.parametrize("content", [None, b"", b"not safetensors", b"\x80\x04pickle"])
def test_broken_weights_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read weights from") as error:
        load_weights(path)
    assert "\n" not in str(error.value)


def test_truncated_weights_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, build(PaperConfig(encoder=(8,), bottleneck=8, decoder=(8,))))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot read weights from"):
        load_weights(path)


def test_a_configuration_of_another_network_is_refused_without_memory_for_it(tmp_path):
    """The file says what to build: a million channels would be more than any machine has."""
    path = tmp_path / "weights.safetensors"
    network = build(PaperConfig((4, 8), 8, (8, 4)))
    for config in (
        {"encoder": [1_000_000, 8], "bottleneck": 8, "decoder": [8, 4], "iou_head": True},
        {"encoder": [4, 8], "bottleneck": 10**400, "decoder": [8, 4], "iou_head": True},
        {"encoder": [4], "bottleneck": 8, "decoder": [4], "iou_head": True},
    ):
        tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
        save_tensors(path, tensors, {"config": json.dumps(config)})
        with pytest.raises(InputError, match="cannot read weights"):
            load_weights(path)

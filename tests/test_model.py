"""The network is the paper's: its parameters and its multiplications are counted by PyTorch."""

from __future__ import annotations

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from picosam2.checkpoint import load_weights, save_tensors, save_weights
from picosam2.errors import InputError
from picosam2.model import CameraModel, ModelConfig, PicoSAM2


def parameters(network: PicoSAM2) -> int:
    return sum(p.numel() for p in network.parameters())


def convolution_macs(network: PicoSAM2) -> float:
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, 96, 96))
    return counter.get_total_flops() / 2


def test_the_papers_network_has_1262818_parameters_and_323_million_macs():
    network = PicoSAM2(ModelConfig(iou_head=False))
    assert parameters(network) == 1_262_818
    assert convolution_macs(network) == pytest.approx(323.05e6, abs=0.01e6)


def test_the_iou_output_adds_321_parameters_and_320_macs():
    network = PicoSAM2()
    assert parameters(network) == 1_262_818 + 321
    plain = PicoSAM2(ModelConfig(iou_head=False))
    assert convolution_macs(network) - convolution_macs(plain) == 320


def test_a_variant_is_one_line():
    network = PicoSAM2(ModelConfig(encoder=(16, 32), bottleneck=48, decoder=(32, 16)))
    logits, iou_logits = network.eval()(torch.zeros(2, 3, 64, 64))
    assert logits.shape == (2, 1, 64, 64)
    assert iou_logits.shape == (2, 1, 1, 1)


def test_encoder_and_decoder_need_the_same_depth():
    with pytest.raises(ValueError, match="same number of stages"):
        ModelConfig(encoder=(16, 32), decoder=(16,))


def test_the_camera_model_normalises_as_imagenet():
    network = PicoSAM2().eval()
    image = torch.randint(0, 256, (1, 3, 96, 96)).float()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    expected = network((image / 255 - mean) / std)[0]
    assert torch.allclose(CameraModel(network)(image)[0], expected, atol=1e-4)


def test_weights_keep_their_configuration_without_pickle(tmp_path):
    config = ModelConfig(encoder=(8, 16), bottleneck=24, decoder=(16, 8))
    network = PicoSAM2(config)
    save_weights(tmp_path / "small.safetensors", network)
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
    save_weights(path, PicoSAM2(ModelConfig(encoder=(8,), bottleneck=8, decoder=(8,))))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot read weights from"):
        load_weights(path)


def test_a_configuration_of_another_network_is_refused_without_memory_for_it(tmp_path):
    """The file says what to build: a million channels would be more than any machine has."""
    path = tmp_path / "weights.safetensors"
    network = PicoSAM2(ModelConfig((4, 8), 8, (8, 4)))
    for config in (
        {"encoder": [1_000_000, 8], "bottleneck": 8, "decoder": [8, 4], "iou_head": True},
        {"encoder": [4, 8], "bottleneck": 10**400, "decoder": [8, 4], "iou_head": True},
        {"encoder": [4], "bottleneck": 8, "decoder": [4], "iou_head": True},
    ):
        tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
        save_tensors(path, tensors, {"config": json.dumps(config)})
        with pytest.raises(InputError, match="cannot read weights"):
            load_weights(path)

"""Training: what is drawn, what the losses are, and that a killed run goes on as if nothing was."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from picosam2 import Predictor
from picosam2.cli import main
from picosam2.data.coco import CocoFolder
from picosam2.data.problems import Problems
from picosam2.data.source import open_source
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.marks import mark_box
from picosam2.masks import extent_centre
from picosam2.model import CorrectingConfig, PaperConfig, SmallConfig, build
from picosam2.prompt import Crop, cut
from picosam2.training import loop
from picosam2.training.config import TrainConfig, parse_prompts, parse_sizes
from picosam2.training.corrections import FIRST_LOOK, MOVED, Players, draw_beginnings, play
from picosam2.training.crops import Batch, change_colours, cut_crops, make_batch, mark_boxes
from picosam2.training.depthwise import QuickDepthwise
from picosam2.training.loop import RunOptions, describe_pace, learning_rate, train
from picosam2.training.losses import LOSSES, bce, iou_loss, soft_target, whole_object_iou
from picosam2.training.muon import ITERATIONS, A, B, C, Muon, orthogonalise
from picosam2.training.objects import load_objects
from picosam2.training.optimizers import make_optimizers
from picosam2.training.processes import launch
from picosam2.training.retention import Retention, retain
from picosam2.training.run import parse_data
from picosam2.training.sampler import Prompts, SamplerConfig, draw_prompts
from picosam2.training.start import Start, first_look
from picosam2.training.world import World

SMALL = TrainConfig(
    samples=48,
    batch=8,
    sizes=((32, 0.5), (48, 0.5)),
    warmup_samples=8,
    model=PaperConfig(encoder=(8, 16), bottleneck=16, decoder=(16, 8)),
)


@pytest.fixture(scope="module")
def objects(examples):
    return load_objects([examples], [1.0], seed=0)


def upright(objects, index, centre, side) -> Prompts:
    """One crop without rotation, mirroring or change of colours."""
    return Prompts(
        index=np.array([index]),
        centre=np.array([centre]),
        side=np.array([side]),
        angle=np.zeros(1),
        flip=np.zeros(1, bool),
        gain=np.ones((1, 3)),
        saturation=np.ones(1),
        contrast=np.ones(1),
        pasted=np.array([-1]),
        pasted_centre=np.array([centre]),
        pasted_side=np.array([side]),
        box=np.full((1, 2), np.inf),
    )


def test_native_training_crops_are_the_photographs_pixels(objects, examples):
    """The batched warp and the predictor's crop agree to the pixel at scale 1."""
    for index in range(len(objects)):
        photograph = examples.photographs[objects.image_index[index]]
        centre = objects.centre[index]
        images, _, _ = cut_crops(objects, upright(objects, index, centre, 96.0), 96)
        expected = cut(photograph.load(), Crop(*centre, 96))
        assert np.abs(images[0].permute(1, 2, 0).numpy() - expected).max() < 0.5


def test_shrunk_training_crops_look_like_the_predictors(objects, examples):
    """Halvings read bilinearly differ little from the exact triangle filter."""
    image = examples.photographs[0].load()
    for side in (150.0, 280.0, 400.0):
        images, _, _ = cut_crops(objects, upright(objects, 0, (225.0, 150.0), side), 96)
        difference = images[0].permute(1, 2, 0).numpy() - cut(image, Crop(225, 150, side))
        # The outermost pixels are partly outside the photograph: black in one, not in the other.
        assert np.abs(difference).mean() < 6


def test_masks_follow_their_photographs(objects, examples):
    for index, annotation in enumerate(a for p in examples for a in p.objects):
        photograph = examples.photographs[objects.image_index[index]]
        mask = photograph.mask(annotation)
        centre = objects.centre[index]
        assert tuple(centre) == extent_centre(mask)
        assert objects.area[index] == mask.sum()
        _, masks, _ = cut_crops(objects, upright(objects, index, centre, 96.0), 96)
        expected = cut(mask[..., None] * np.uint8(255), Crop(*centre, 96))[..., 0] > 127
        assert np.array_equal(masks[0, 0].numpy() > 0.5, expected)


def test_clicks_lie_on_their_objects(objects, examples):
    annotations = [(p, a) for p in examples for a in p.objects]
    for index, (photograph, annotation) in enumerate(annotations):
        x, y = objects.clicks[index].astype(int).T
        assert photograph.mask(annotation)[y, x].all()


def test_a_mirrored_crop_is_the_crop_mirrored(objects):
    plain = upright(objects, 0, (225.0, 150.0), 200.0)
    mirrored = dataclasses.replace(plain, flip=np.ones(1, bool))
    for a, b in zip(cut_crops(objects, plain, 64), cut_crops(objects, mirrored, 64), strict=True):
        assert torch.allclose(a.flip(-1), b, atol=1e-2)


def test_a_box_is_drawn_on_its_crop_as_the_predictor_draws_it(objects):
    plain = upright(objects, 0, (225.0, 150.0), 192.0)
    drawn = dataclasses.replace(plain, box=np.array([[0.5, 0.25]]))
    grey = torch.full((1, 3, 96, 96), 100.0)
    assert (mark_boxes(grey, plain) == grey).all()
    pixels = grey[0].permute(1, 2, 0).numpy().astype(np.uint8)
    expected = mark_box(pixels, (24, 36, 72, 60))
    assert (mark_boxes(grey, drawn)[0].permute(1, 2, 0).numpy().round() == expected).all()
    assert (expected[36:60, 24:72] == 100).all()
    assert (expected[35, 40] == (178, 50, 178)).all()


def test_prompts_are_drawn_as_the_configuration_says(objects):
    config = SamplerConfig(native=1.0, box=0.0, scene=0.0)
    native = draw_prompts(objects, 200, np.random.default_rng(0), config)
    assert (native.side == 96 * objects.native_scale[native.index]).all()
    assert np.isinf(native.box).all()
    config = SamplerConfig(native=0.0, box=1.0, scene=0.0, box_jitter=0.0, marked=0.0)
    boxed = draw_prompts(objects, 200, np.random.default_rng(0), config)
    extent = objects.extent[boxed.index]
    longer = (extent[:, 2:] - extent[:, :2]).max(axis=1)
    assert boxed.side == pytest.approx(1.2 * longer)
    config = dataclasses.replace(config, marked=1.0)
    marked = draw_prompts(objects, 200, np.random.default_rng(0), config)
    extent = objects.extent[marked.index]
    assert marked.box * marked.side[:, None] == pytest.approx(extent[:, 2:] - extent[:, :2])
    assert (marked.side / (extent[:, 2:] - extent[:, :2]).max(axis=1) >= 1.1).all()
    assert (marked.angle == 0).all()
    # The paper's network knows its prompt by the place of the crop alone.
    paper = TrainConfig(model=PaperConfig(), sampler=config)
    assert not paper.model.marks_boxes
    placed = draw_prompts(objects, 200, np.random.default_rng(0), paper.sampler)
    assert np.isinf(placed.box).all()
    assert placed.side == pytest.approx(boxed.side)
    assert TrainConfig(sampler=config).model.marks_boxes
    clicks = draw_prompts(
        objects,
        200,
        np.random.default_rng(0),
        SamplerConfig(native=0.0, box=0.0, scene=0.0, min_side=1.0),
    )
    extent = objects.extent[clicks.index]
    fill = (extent[:, 2:] - extent[:, :2]).max(axis=1) / clicks.side
    assert fill.min() >= 0.25
    assert fill.max() <= 1.25
    config = SamplerConfig(native=0.0, box=0.0, scene=1.0, min_side=1.0)
    scene = draw_prompts(objects, 200, np.random.default_rng(0), config)
    longer = objects.images.size.numpy()[objects.image_index[scene.index]].max(axis=1)
    assert (scene.side / longer).min() >= 0.06
    assert (scene.side / longer).max() <= 1.2


def test_a_step_sees_the_same_prompts_whatever_the_number_of_processes(objects):
    prompts = draw_prompts(objects, 8, np.random.default_rng([0, 3]), SamplerConfig())
    parts = [prompts.part(rank, 2) for rank in range(2)]
    for name, whole in vars(prompts).items():
        together = np.stack([getattr(part, name) for part in parts], axis=1).reshape(whole.shape)
        assert np.array_equal(together, whole), name


def test_pasted_objects_leave_the_prompt_and_half_of_the_object(objects):
    """Another object hides what it covers; where none is pasted the crop is as without."""
    prompts = draw_prompts(objects, 256, np.random.default_rng(0), SamplerConfig(paste=0.5))
    # Contrast is about the crop's mean, which changes.
    prompts = dataclasses.replace(prompts, contrast=np.ones(256))
    none = dataclasses.replace(prompts, pasted=np.full(256, -1))
    pasted = prompts.pasted >= 0
    assert 0.4 < pasted.mean() < 0.6
    with_paste, without = (make_batch(objects, p, 64, SmallConfig()) for p in (prompts, none))
    changed = ((with_paste.images - without.images).abs() > 1e-3).any(dim=1)
    assert not changed[torch.from_numpy(~pasted)].any()
    assert changed[torch.from_numpy(pasted)].any(dim=(1, 2)).float().mean() > 0.5
    assert not changed[:, 29:35, 29:35].any()
    sums = [batch.masks.sum(dim=(1, 2, 3)) for batch in (with_paste, without)]
    assert (sums[0] <= sums[1] + 1e-3).all()
    assert (sums[0] >= sums[1] / 2 - 1e-3).all()
    # What is hidden does not count as missed.
    assert torch.allclose(without.area - with_paste.area, sums[1] - sums[0], atol=1e-2)
    assert (with_paste.teacher <= without.teacher).all()


def test_colour_changes_keep_black_padding_black(objects):
    prompts = draw_prompts(objects, 4, np.random.default_rng(0), SamplerConfig())
    images = torch.zeros(4, 3, 16, 16)
    images[:, :, 8:] = torch.randint(1, 256, (4, 3, 8, 16)).float()
    changed = change_colours(images, prompts)
    assert not torch.equal(changed, images)
    assert not changed[:, :, :8].any()
    assert changed.min() >= 0
    assert changed.max() <= 255


# The student says 0 everywhere; the left half is object; the teacher says log 3 there (a
# probability of 3/4) and -log 3 elsewhere (1/4).
BCE, DICE = math.log(2), 1 - (2 * 2 + 1) / (4 + 4 + 1)
TEACHER_MSE = 0.25**2
TEACHER_DICE = 1 - (2 * (4 * 0.75 + 4 * 0.25) * 0.5 + 1) / (4 + 4 + 1)


def small_batch(share: float) -> Batch:
    """One crop of 2×4 pixels; ``share`` is the teacher's."""
    masks = torch.zeros(1, 1, 2, 4)
    masks[..., :2] = 1
    teacher = (2 * masks - 1) * math.log(3)
    area = torch.tensor([4.0])
    return Batch(torch.zeros(1, 3, 2, 4), masks, area, teacher, torch.tensor([share]))


@pytest.mark.parametrize(
    ("name", "share", "expected"),
    [
        ("supervised", 0.8, 0.5 * BCE + 0.5 * DICE),
        ("paper", 0.8, 0.8 * TEACHER_MSE + 0.2 * (0.5 * BCE + 0.5 * DICE)),
        ("paper", 0.0, 0.5 * BCE + 0.5 * DICE),
        ("paper", 1.0, TEACHER_MSE),
        ("released", 0.8, 0.8 * (TEACHER_MSE + TEACHER_DICE) + 0.2 * (BCE + DICE)),
        # A constant student's BCE and Dice are the same for every target of the same sum.
        ("soft", 0.8, 0.5 * BCE + 0.5 * DICE),
    ],
)
def test_losses_by_hand(name, share, expected):
    loss = LOSSES[name](torch.zeros(1, 1, 2, 4), small_batch(share))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("share", "inside", "outside"), [(0.8, 0.9, 0.1), (1.0, 0.75, 0.25)])
def test_the_soft_loss_is_smallest_between_mask_and_teacher(share, inside, outside):
    """At λ/2 · 3/4 + (1 − λ/2) · 1 inside; where there is no human mask, at the teacher's 3/4."""
    batch = small_batch(share)
    best = torch.logit(torch.where(batch.masks > 0, inside, outside))
    logits = (best + 0.1).requires_grad_()
    loss = bce(logits, soft_target(batch)).sum()
    loss.backward()
    assert (logits.grad > 0).all()
    assert bce(best, soft_target(batch)).item() < loss.item()


def test_what_earlier_networks_say_is_half_of_the_target_where_no_box_is_drawn(objects, tmp_path):
    prompts = draw_prompts(objects, 16, np.random.default_rng(0), SamplerConfig(box=0.5))
    marked = np.isfinite(prompts.box).all(axis=1)
    assert marked.any()
    assert not marked.all()
    batch = make_batch(objects, prompts, 96, SmallConfig())
    retention = Retention(("small",))
    networks = retention.networks(SmallConfig(), torch.device("cpu"))
    with_retention = retain(networks, batch, prompts)
    target, plain = soft_target(with_retention), soft_target(batch)
    assert torch.equal(target[marked], plain[marked])
    with torch.no_grad():
        answers = networks[0](batch.images)[0].sigmoid()
    halves = (plain + answers) / 2
    assert (target[~marked] - halves[~marked]).abs().max() < 1e-3
    assert retain([], batch, prompts) is batch
    config = dataclasses.replace(SMALL, samples=16, loss="soft", model=SmallConfig())
    config = dataclasses.replace(config, sizes=((96, 1.0),))
    kept, free = tmp_path / "kept", tmp_path / "free"
    train(World(), objects, config, RunOptions(kept, Start("small"), retention))
    train(World(), objects, config, RunOptions(free, Start("small")))
    assert loss_of(kept) != loss_of(free)


def loss_of(out) -> str:
    """The last loss in a run's log."""
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))[-1]["loss"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--retain", "small"], "--retain needs --loss soft, not supervised"),
        (["--retain", "paper", "--loss", "soft"], "--retain paper is a paper network, not small"),
        (["--retain", "imagenet", "--loss", "soft"], "--retain imagenet: needs trained weights"),
        (["--retain", "none", "--loss", "soft"], "no weights none: give a file"),
        (
            ["--retain", "small", "--loss", "soft", "--family", "correcting"],
            "--retain small: needs trained weights, and not correcting ones",
        ),
    ],
)
def test_what_cannot_be_retained_is_refused(arguments, message, tmp_path):
    out = tmp_path / "run"
    command = ["train", "--data", str(EXAMPLES), "--out", str(out), "--init", "small"]
    result = CliRunner().invoke(main, [*command, *arguments])
    assert result.exit_code == 2
    assert message in result.output
    assert not out.exists()


def test_the_iou_counts_what_lies_outside_the_crop():
    """A perfect mask of the visible half of an object has an IoU of one half."""
    batch = dataclasses.replace(
        small_batch(0.0), masks=torch.ones(1, 1, 4, 4), area=torch.tensor([32.0])
    )
    iou = whole_object_iou(torch.ones(1, 1, 4, 4), batch)
    assert iou.item() == 0.5


def test_the_iou_loss_is_smallest_at_the_true_iou():
    iou = torch.tensor([0.7])
    grid = torch.linspace(0.05, 0.95, 19)
    losses = [iou_loss(torch.logit(p).view(1, 1, 1, 1), iou).item() for p in grid]
    assert grid[int(np.argmin(losses))].item() == pytest.approx(0.7)


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth():
    config = TrainConfig(samples=320_000, warmup_samples=3_200)
    rates = [learning_rate(config, step) for step in range(config.steps)]
    assert max(rates) == pytest.approx(config.lr)
    assert rates.index(max(rates)) == 99
    assert rates[-1] == pytest.approx(0.01 * config.lr, rel=0.01)


@pytest.mark.parametrize("shape", [(48, 432), (128, 80), (1, 9)])
def test_muons_directions_are_those_of_the_singular_vectors(shape):
    """Five quintic iterations on each singular value, whatever the way to compute them."""
    matrix = torch.randn(shape, generator=torch.manual_seed(0)) * torch.logspace(0, -3, shape[1])
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    values = values / values.norm()
    for _ in range(ITERATIONS):
        values = A * values + B * values**3 + C * values**5
    expected = (u * values) @ v
    assert (orthogonalise(matrix) - expected).norm() < 1e-3 * expected.norm()


def test_muon_steps_as_pytorchs_does():
    """That one takes matrices, and multiplies them in bfloat16: a hundredth off."""
    kernel = torch.nn.Parameter(torch.randn(24, 8, 3, 3, generator=torch.manual_seed(0)))
    matrix = torch.nn.Parameter(kernel.detach().clone().flatten(1))
    ours = Muon([kernel], lr=0.1, weight_decay=0.5)
    theirs = torch.optim.Muon([matrix], lr=0.1, weight_decay=0.5, adjust_lr_fn="match_rms_adamw")
    start = matrix.detach().clone()
    for _ in range(4):
        kernel.grad = torch.randn(kernel.shape)
        matrix.grad = kernel.grad.flatten(1)
        ours.step()
        theirs.step()
    difference = (kernel.detach().flatten(1) - matrix).norm()
    assert difference < 0.03 * (matrix - start).norm()


def test_every_parameter_has_its_optimizer():
    network = build(SMALL.model)
    muon, adamw = make_optimizers(network, SMALL)
    kernels = {p for group in muon.param_groups for p in group["params"]}
    others = {p for group in adamw.param_groups for p in group["params"]}
    assert kernels | others == set(network.parameters())
    assert not kernels & others
    assert network.downs[1].weight in kernels
    assert network.blocks[0][0].weight in others, "depthwise: there is nothing to mix"


def test_training_learns_the_example_objects(objects, tmp_path):
    """A small network, trained for some seconds, masks the objects better than at first."""
    config = dataclasses.replace(SMALL, samples=1_600, batch=8, sizes=((32, 1.0),), lr=4e-3)
    train(World(), objects, config, RunOptions(tmp_path))
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["iou"]) > 1.2 * float(rows[0]["iou"])


def test_a_resumed_run_ends_in_the_same_state(objects, tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    train(World(), objects, SMALL, RunOptions(whole))
    stopped = RunOptions(halves, save_every=3)

    def stop(network, step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(World(), objects, SMALL, dataclasses.replace(stopped, validate_every=4), stop)
    train(World(), objects, SMALL, stopped)
    expected, state = (
        load_file(whole / "state.safetensors"),
        load_file(halves / "state.safetensors"),
    )
    assert expected.keys() == state.keys()
    for name, value in expected.items():
        assert torch.equal(value, state[name]), name


def test_a_stop_in_the_last_validation_is_made_good(objects, tmp_path):
    """The next run validates again, and writes no step twice."""
    steps = SMALL.steps
    options = RunOptions(tmp_path, save_every=2, validate_every=3)

    def figures(network, step):
        return {"miou": step / 100}

    def stop(network, step):
        if step == steps:
            raise KeyboardInterrupt
        return figures(network, step)

    with pytest.raises(KeyboardInterrupt):
        train(World(), objects, SMALL, options, stop)
    with (tmp_path / "validation.jsonl").open("a") as file:
        file.write('{"step": 6, "mi')
    train(World(), objects, SMALL, options, figures)
    lines = (tmp_path / "validation.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6]
    assert steps == 6
    assert (tmp_path / "weights.safetensors").is_file()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "picosam2", "train", *map(str, arguments)]


def test_a_killed_run_goes_on_but_not_with_another_config(tmp_path):
    """SIGKILL after the first saved state, then the same command: it goes on from there."""
    out = tmp_path / "run"
    size = ("--samples", 150, "--batch", 1, "--sizes", "48:1", "--processes", 1)
    arguments = ("--data", EXAMPLES, "--out", out, *size)
    process = subprocess.Popen(command(*arguments), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not (out / "state.safetensors").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = (out / "log.csv").read_text().splitlines()
    subprocess.run(command(*arguments), check=True, capture_output=True)
    after = (out / "log.csv").read_text().splitlines()
    assert after[: len(before)] == before
    assert [line.partition(",")[0] for line in after] == ["step", "50", "100", "150"]
    record = json.loads((out / "run.json").read_text())
    assert len(record["starts"]) == 2
    assert record["config"]["seed"] == 0
    assert record["data"][0]["sha256"] == CocoFolder(EXAMPLES).digest
    assert (out / "weights.safetensors").is_file()

    other = command(*arguments, "--seed", 1)
    again = subprocess.run(other, capture_output=True, text=True)
    assert again.returncode == 2
    assert "another config" in again.stderr
    assert "Traceback" not in again.stderr


def test_damaged_states_are_refused_in_one_line(objects, tmp_path):
    (tmp_path / "state.safetensors").write_bytes(b"damaged")
    for processes in (1, 2):
        with pytest.raises(InputError, match="remove it to start anew"):
            launch(objects, SMALL, RunOptions(tmp_path), processes=processes)


def test_shares_are_given_for_all_folders_or_none():
    folders, shares = parse_data((f"{EXAMPLES}:0.3", f"{EXAMPLES}:0.7"), World(), Problems())
    assert shares == [0.3, 0.7]
    _, shares = parse_data((str(EXAMPLES),), World(), Problems())
    assert shares == [sum(len(p.objects) for p in folders[0])]
    for bad in ((f"{EXAMPLES}:0.3", str(EXAMPLES)), (f"{EXAMPLES}:x",), (f"{EXAMPLES}:0",)):
        with pytest.raises(InputError):
            parse_data(bad, World(), Problems())


@pytest.mark.data
def test_a_loss_must_be_known_and_have_what_it_needs(tmp_path):
    command = ["train", "--data", str(EXAMPLES), "--out", str(tmp_path / "run"), "--loss"]
    result = CliRunner().invoke(main, [*command, "abacus"])
    assert (result.exit_code, "choose from supervised, paper" in result.stderr) == (2, True)
    result = CliRunner().invoke(main, [*command, "paper"])
    assert (result.exit_code, "picosam2 label makes them" in result.stderr) == (2, True)
    assert not (tmp_path / "run").exists()


def test_no_training_photograph_is_in_a_validation_folder(data):
    def names(*folders: str) -> set[str]:
        return {p.encoded.path.stem for name in folders for p in CocoFolder(data / name)}

    assert not names("coco-train", "coco-boxes") & names("coco-dev", "coco-val", "lvis-val")


@pytest.mark.data
def test_a_batch_of_real_photographs_is_normalised(data):
    objects = load_objects([CocoFolder(data / "balloon-train")], [1.0], seed=0)
    prompts = draw_prompts(objects, 64, np.random.default_rng(0), SamplerConfig())
    batch = make_batch(objects, prompts, 64, SMALL.model)
    assert batch.images.shape == (64, 3, 64, 64)
    assert abs(batch.images.mean().item()) < 1.5
    assert 0.05 < batch.masks.mean().item() < 0.8


def test_crop_sizes_are_given_in_order_with_their_shares():
    assert parse_sizes("64:3,96:1") == ((64, 0.75), (96, 0.25))
    for text in ("64", "64:x", "50:1", "0:1", "64:0", "96:nan", ""):
        with pytest.raises(InputError, match="--sizes"):
            parse_sizes(text)


def test_a_colon_of_an_address_or_a_folder_begins_no_share(tmp_path):
    folder = tmp_path / "a:1"
    folder.symlink_to(EXAMPLES)
    for name in (str(folder), f"{folder}:0.5"):
        (source,), _ = parse_data((name,), World(), Problems())
        assert len(source) == len(parse_data((str(EXAMPLES),), World(), Problems())[0][0])
    # An address is one, with a share or without: there is nothing at it.
    for name in ("memory://nowhere/a", "memory://nowhere/a:0.5"):
        with pytest.raises(InputError, match="nowhere"):
            parse_data((name,), World(), Problems())


def test_kinds_of_prompts_are_given_with_their_shares():
    assert parse_prompts("native:.3,box:.3,scene:.25") == SamplerConfig()
    assert parse_prompts("native:.5").scene == 0
    for text in ("native", "click:.3", "native:.8,box:.3", "box:0", "box:nan", "", "box:.3,box:.3"):
        with pytest.raises(InputError, match="--prompts"):
            parse_prompts(text)


def test_shards_train_as_the_folder_they_were_made_from(objects, example_shards):
    same = load_objects([open_source(example_shards)], [1.0], seed=0)
    for name in ("extent", "area", "centre", "clicks", "probability", "native_scale"):
        np.testing.assert_array_equal(getattr(same, name), getattr(objects, name))
    prompts = draw_prompts(objects, 8, np.random.default_rng(0), SamplerConfig())
    for ours, theirs in zip(
        vars(make_batch(objects, prompts, 32, SMALL.model)).values(),
        vars(make_batch(same, prompts, 32, SMALL.model)).values(),
        strict=True,
    ):
        assert ours is theirs or torch.equal(ours, theirs)


# What belongs to a pretrained encoder, and how long a run takes.


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_quick_gradients_of_depthwise_convolutions_are_those_of_float32(kernel, stride):
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(8, 8, kernel, stride, kernel // 2, groups=8, bias=False)
    x = torch.randn(4, 8, 12, 12, requires_grad=True)
    expected = torch.autograd.grad(layer(x).square().sum(), [x, layer.weight])
    with torch.autocast("cpu", torch.bfloat16), QuickDepthwise():
        y = layer(x)
    assert y.dtype == torch.bfloat16
    for found, exact in zip(
        torch.autograd.grad(y.float().square().sum(), [x, layer.weight]), expected, strict=True
    ):
        assert found.dtype == torch.float32
        assert (found - exact).norm() < 0.02 * exact.norm()


def test_a_pretrained_encoder_learns_at_a_lower_rate():
    network = build(SmallConfig())
    config = TrainConfig(encoder_rate=0.3)
    rates = {
        id(p): group["rate"]
        for optimizer in make_optimizers(network, config)
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert len(rates) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        of_encoder = name.startswith(("stem", "stages"))
        assert rates[id(parameter)] == (0.3 if of_encoder else 1.0), name


def test_a_run_says_how_long_it_will_take():
    assert describe_pace(50, 180_000) == "50 crops/s: about 60 minutes to go at this size of crops"
    assert describe_pace(10, 180_000).startswith("10 crops/s: about 5.0 hours to go")


def test_the_time_to_go_is_told_once_on_the_terminal(objects, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "PACE_SECONDS", 0.0)
    train(World(), objects, SMALL, RunOptions(tmp_path))
    assert capsys.readouterr().err.count("to go at this size of crops") == 1


CORRECTING = dataclasses.replace(
    SMALL, samples=24, sizes=((96, 1.0),), model=CorrectingConfig((16, 16, 8, 8))
)


def test_a_correcting_network_learns_on_its_own_answers(objects, tmp_path):
    """The prior of a batch holds masks and clicks, and clicks tell the truth."""
    network = build(CORRECTING.model)
    first = first_look(torch.device("cpu"))
    beginnings = draw_beginnings(objects, 64, np.random.default_rng(0), SamplerConfig())
    for rounds in (0, 2):
        batch = play(Players(network, first), objects, beginnings, rounds, 96, CORRECTING.model)
        assert batch.prior.shape == (64, 2, 96, 96)
        before, clicks = batch.prior.unbind(1)
        truth = batch.masks[:, 0] > 0.5
        # Discs reach over the object's edge, and later clicks over earlier ones.
        agree = ((clicks > 0) & truth).sum() + ((clicks < 0) & ~truth).sum()
        assert agree / (clicks != 0).sum() > 0.6
        unknown = (before == 0).all(dim=(1, 2))
        assert unknown.any() == (rounds == 0)
        if rounds == 0:
            # What begins a video is the true mask, a little moved.
            video = torch.from_numpy(beginnings.kind == MOVED)
            overlap = ((before > 0) & truth)[video].sum() / ((before > 0) | truth)[video].sum()
            assert 0.5 < overlap < 1
    assert network.training


def test_first_looks_lie_where_they_belong(objects):
    """A first look with the crop of the correction is the same mask, turned or mirrored."""
    beginnings = draw_beginnings(objects, 48, np.random.default_rng(1), SamplerConfig())
    same = dataclasses.replace(
        beginnings,
        kind=np.full(48, FIRST_LOOK),
        first_side=beginnings.prompts.side,
        prompts=dataclasses.replace(beginnings.prompts, centre=beginnings.click),
    )
    first = first_look(torch.device("cpu"))
    images = make_batch(objects, same.prompts, 96, CORRECTING.model).images
    with torch.inference_mode():
        expected = first(images)[0][:, 0] > 0
    players = Players(build(CORRECTING.model), first)
    prior = play(players, objects, same, 0, 96, CORRECTING.model).prior
    shown = prior[:, 0] > 0
    # Only the part under the click is kept.
    assert (shown & ~expected).sum() == 0
    assert (shown & expected).sum() / expected.sum() > 0.7


@pytest.mark.parametrize("init", ["small", "random"])
def test_a_correcting_network_is_trained_and_asked(tmp_path, init):
    arguments = ["train", "--data", EXAMPLES, "--out", tmp_path / "run", "--samples", 16]
    arguments += ["--batch", 8, "--sizes", "96:1", "--family", "correcting", "--init", init]
    result = CliRunner().invoke(
        main, [str(argument) for argument in [*arguments, "--processes", 1]]
    )
    assert result.exit_code == 0, result.output
    weights = tmp_path / "run" / "weights.safetensors"
    predictor = Predictor.from_pretrained(correcting=weights)
    predictor.set_image(load_image(EXAMPLES / "images" / "chelsea.jpg"))
    masks, _, _ = predictor.predict([[230, 160], [20, 20]], [1, 0])
    assert masks[:, 160, 230].all()
    assert not masks[:, 20, 20].any()

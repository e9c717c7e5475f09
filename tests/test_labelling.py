"""A teacher's answers: asked on photographs, written into shards, joined to photographs again."""

import io
import lzma
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import fsspec
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from picosam2.cli import main
from picosam2.data.photograph import Photograph, is_sure
from picosam2.data.problems import Problems
from picosam2.data.rle import decode_rle, encode_mask
from picosam2.data.schema import Annotation, ImageInfo, Record, TeacherMask
from picosam2.data.shards import read_shard, writing_shard
from picosam2.data.soft import decode_tiles, soft_square, soft_tile, tile_logits
from picosam2.data.source import open_source
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.pack import join_labels, pack_labels
from picosam2.labelling.photograph import label_photograph
from picosam2.labelling.run import label
from picosam2.masks import mask_iou


@dataclass
class OutlineTeacher:
    """Knows the outlines of a photograph: its answer to a click is the object that lies there.

    The second of its three masks is the good one; on the background it finds nothing, unsurely.
    """

    masks: list[np.ndarray]
    name: str = "outlines"
    clicks: list[tuple[float, float]] = field(default_factory=list)

    def set_image(self, image):
        self.shape = image.shape[:2]

    def predict(self, coords, labels):
        logits = np.full((len(coords), 3, 256, 256), -9, np.float32)
        predicted_iou = np.full((len(coords), 3), 0.1, np.float32)
        for row, (points, kinds) in enumerate(zip(coords, labels, strict=True)):
            x, y = points.mean(axis=0)
            if kinds[0] == 1:
                self.clicks.append((float(x), float(y)))
            for mask in self.masks:
                if mask[int(y), int(x)]:
                    small = Image.fromarray(mask.astype(np.uint8) * 255).resize((256, 256))
                    logits[row, 1] = np.asarray(small) / 255 * 18 - 9
                    predicted_iou[row, 1] = 0.95
                    break
        return logits, predicted_iou


@pytest.fixture
def rocket(examples):
    """The photograph with a rocket and a tower, which do not overlap."""
    return next(p for p in examples if p.record.image.file_name == "rocket.jpg")


def as_teacher(photograph) -> OutlineTeacher:
    return OutlineTeacher([photograph.mask(a) for a in photograph.objects])


def without_objects(record: Record) -> Record:
    return Record(record.image, [])


def test_a_known_object_is_asked_for_by_its_box_and_by_a_click_inside_it(rocket):
    record, soft = label_photograph(as_teacher(rocket), rocket.load(), rocket.record, LabelConfig())
    for annotation, known in zip(record.annotations, rocket.record.annotations, strict=True):
        to_box, to_click = annotation.teacher
        x, y, width, height = known.bbox
        assert to_box.box == pytest.approx((x, y, x + width, y + height))
        (click,) = to_click.point_coords
        assert rocket.mask(known)[int(click[1]), int(click[0])]
        assert to_click.predicted_iou == pytest.approx(0.95)
        assert mask_iou(decode_rle(to_click.segmentation), rocket.mask(known)) > 0.7
        assert (annotation.segmentation, annotation.source) == (known.segmentation, "human")
    assert len(decode_tiles(soft)) == len(record.annotations)


def test_an_object_known_by_its_box_only_gets_the_teachers_mask(rocket):
    boxes = [msgspec.structs.replace(a, segmentation=None) for a in rocket.record.annotations]
    record, _ = label_photograph(
        as_teacher(rocket), rocket.load(), Record(rocket.record.image, boxes), LabelConfig()
    )
    for annotation in record.annotations:
        assert annotation.source == "teacher"
        assert annotation.segmentation == annotation.teacher[0].segmentation
        assert annotation.predicted_iou == annotation.teacher[0].predicted_iou
        assert annotation.area == decode_rle(annotation.segmentation).sum()


def test_boxes_beyond_the_photograph_are_clipped_or_not_asked_for(rocket):
    known, other = rocket.record.annotations[:2]
    outside = msgspec.structs.replace(known, bbox=(9e5, 9e5, 10.0, 10.0))
    huge = msgspec.structs.replace(other, bbox=(-9e6, -9e6, 9.9e6, 9.9e6))
    record, soft = label_photograph(
        as_teacher(rocket),
        rocket.load(),
        Record(rocket.record.image, [outside, huge]),
        LabelConfig(),
    )
    assert record.annotations[0] == outside
    assert record.annotations[1].teacher[0].box == (0, 0, rocket.width, rocket.height)
    assert record.annotations[1].soft.square[2] == 2 * rocket.width
    assert len(decode_tiles(soft)) == 1


def test_crowds_are_left_as_they_are(rocket):
    crowd = msgspec.structs.replace(rocket.record.annotations[0], iscrowd=1)
    others = rocket.record.annotations[1:]
    record, soft = label_photograph(
        as_teacher(rocket),
        rocket.load(),
        Record(rocket.record.image, [crowd, *others]),
        LabelConfig(),
    )
    assert record.annotations[0] == crowd
    assert len(decode_tiles(soft)) == len(others)


def test_a_grid_finds_objects_where_none_is_known(rocket):
    teacher = as_teacher(rocket)
    config = LabelConfig(grid=32, min_stability=0.5)
    record, soft = label_photograph(teacher, rocket.load(), without_objects(rocket.record), config)
    assert len(record.annotations) == len(rocket.objects) == len(decode_tiles(soft))
    for annotation in record.annotations:
        mask = decode_rle(annotation.segmentation)
        ((x, y),) = annotation.point_coords
        assert annotation.source == "teacher"
        assert mask[int(y), int(x)]
        assert max(mask_iou(mask, rocket.mask(known)) for known in rocket.objects) > 0.7
    assert len({a.id for a in record.annotations}) == len(record.annotations)


def test_the_grid_does_not_click_where_a_mask_lies_already(rocket):
    teacher = as_teacher(rocket)
    config = LabelConfig(grid=32, batch=1, min_stability=0.5)
    record, _ = label_photograph(teacher, rocket.load(), without_objects(rocket.record), config)
    for annotation in record.annotations:
        mask = decode_rle(annotation.segmentation)
        assert sum(mask[int(y), int(x)] for x, y in teacher.clicks) == 1
    assert 0 < len(teacher.clicks) < 32 * 32


@pytest.mark.parametrize("setting", [{"min_predicted_iou": 0.96}, {"min_stability": 1.0}])
def test_what_the_teacher_is_not_sure_of_is_not_kept(rocket, setting):
    config = LabelConfig(grid=32, **setting)
    record, soft = label_photograph(
        as_teacher(rocket), rocket.load(), without_objects(rocket.record), config
    )
    assert (record.annotations, soft) == ([], None)


def test_of_two_masks_that_overlap_the_better_one_is_kept():
    masks = np.zeros((2, 96, 96), bool)
    masks[0, 10:60, 10:60] = True
    masks[1, 10:60, 12:64] = True

    class TwoAnswers(OutlineTeacher):
        def predict(self, coords, labels):
            """The clicks of one batch get one mask and the other in turn."""
            logits = np.full((len(coords), 3, 256, 256), -9, np.float32)
            for row in range(len(coords)):
                small = Image.fromarray(masks[row % 2].astype(np.uint8) * 255).resize((256, 256))
                logits[row, 0] = np.asarray(small) / 255 * 18 - 9
            scores = np.array([[0.9, 0, 0], [0.99, 0, 0]], np.float32)
            return logits, scores[np.arange(len(coords)) % 2]

    record, _ = label_photograph(
        TwoAnswers([]), np.zeros((96, 96, 3), np.uint8), Record(ImageInfo(1, 96, 96, "x"), []),
        LabelConfig(min_stability=0.5),
    )  # fmt: skip
    (annotation,) = record.annotations
    assert mask_iou(decode_rle(annotation.segmentation), masks[1]) > 0.9


def test_training_leaves_out_what_the_teacher_is_unsure_of_or_drew_beside_the_box(rocket):
    known = rocket.record.annotations[0]
    sure = msgspec.structs.replace(
        known, source="teacher", predicted_iou=0.75, stability_score=0.75
    )
    x, y, width, height = known.bbox
    for answer, expected in (
        (known, True),
        (sure, True),
        (msgspec.structs.replace(sure, predicted_iou=0.74), False),
        (msgspec.structs.replace(sure, stability_score=0.74), False),
        (msgspec.structs.replace(sure, bbox=(x, y, width, height * 2)), False),
        (TeacherMask(known.segmentation, 0.9, 0.9, box=(x, y, x + width, y + height)), True),
        (TeacherMask(known.segmentation, 0.9, 0.9, box=(x, y, x + width * 2, y + height)), False),
        (TeacherMask(known.segmentation, 0.9, 0.9, point_coords=[(0.0, 0.0)]), True),
    ):
        assert is_sure(answer) == expected
        if isinstance(answer, Annotation):
            photograph = Photograph(Record(rocket.record.image, [answer]), rocket.encoded)
            assert bool(photograph.objects) == expected


def test_a_soft_target_covers_twice_the_longer_side_around_the_box():
    assert soft_square((10, 20, 30, 50)) == (-25, -5, 100)


def test_a_soft_target_holds_the_logits_at_its_pixels():
    """A plane of logits: the tile must show it where its pixels lie, and nothing outside."""
    height, width = 300, 200
    xs = (np.arange(256) + 0.5) * width / 256
    ys = (np.arange(256) + 0.5) * height / 256
    logits = ((xs[None] - 100) / 25 + (ys[:, None] - 150) / 50).astype(np.float32)
    square = (-20.0, 100.0, 120.0)
    tile = soft_tile(logits, (height, width), square)
    centres = (np.arange(64) + 0.5) * 120 / 64
    x, y = centres - 20, centres + 100
    expected = (x[None] - 100) / 25 + (y[:, None] - 150) / 50
    inside = x > 4
    np.testing.assert_allclose(tile_logits(tile)[:, inside], expected[:, inside], atol=0.08)
    assert (tile[:, x < 0] == 0).all()


def test_soft_targets_have_eight_bits():
    logits = np.full((256, 256), 20, np.float32)
    assert (tile_logits(soft_tile(logits, (64, 64), (0, 0, 64))) == 7.9375).all()
    assert (tile_logits(soft_tile(-logits, (64, 64), (0, 0, 64))) == -8).all()
    assert (tile_logits(soft_tile(0 * logits, (64, 64), (0, 0, 64))) == 0).all()


def test_damaged_soft_targets_are_refused():
    buffer = io.BytesIO()
    Image.new("L", (64, 100)).save(buffer, format="PNG")
    with pytest.raises(ValueError, match="soft targets"):
        decode_tiles(buffer.getvalue())


# Runs over shards, with a small teacher that any machine has.


@pytest.fixture(scope="module")
def shards(examples, tmp_path_factory) -> Path:
    """The example photographs twice over, two to a shard; half of them without known objects."""
    folder = tmp_path_factory.mktemp("shards")
    samples = [(p.record.image.file_name.split(".")[0], p.record, p) for p in examples]
    samples += [(f"{key}-again", without_objects(record), p) for key, record, p in samples]
    for start in range(0, len(samples), 2):
        with writing_shard(str(folder / f"{start // 2:06d}.tar")) as shard:
            for key, record, photograph in samples[start : start + 2]:
                shard.add(key, record, photograph.encoded.read())
    return folder


EVERYTHING = LabelConfig(grid=2, min_predicted_iou=0, min_stability=0)


@pytest.fixture(scope="module")
def labelled(shards, random_sam2, tmp_path_factory) -> Path:
    """What one process makes of the shards without a stop."""
    out = tmp_path_factory.mktemp("labelled")
    label(str(shards), str(out), random_sam2, EVERYTHING, "local", 1)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, hidden and temporary ones too."""
    return {path.name: path.read_bytes() for path in folder.rglob("*")}


def test_every_photograph_comes_out_with_labels(shards, labelled):
    before, after = open_source(shards), open_source(labelled)
    assert [p.image_id for p in after] == [p.image_id for p in before]
    for old, new in zip(before, after, strict=True):
        assert new.encoded.read() == old.encoded.read()
        assert len(new.record.annotations) >= max(1, len(old.record.annotations))
        assert all(a.soft is not None for a in new.record.annotations)


def test_two_workers_write_the_same_bytes(shards, random_sam2, labelled, tmp_path):
    label(str(shards), str(tmp_path), random_sam2, EVERYTHING, "local", 2)
    assert contents(tmp_path) == contents(labelled)


def test_a_run_goes_on_where_it_was(shards, random_sam2, labelled, tmp_path):
    first = sorted(labelled.glob("*.tar"))[0]
    for name in (first.name, "labels.json"):
        (tmp_path / name).write_bytes((labelled / name).read_bytes())
    before = (tmp_path / first.name).stat().st_mtime_ns
    label(str(shards), str(tmp_path), random_sam2, EVERYTHING, "local", 1)
    assert contents(tmp_path) == contents(labelled)
    assert (tmp_path / first.name).stat().st_mtime_ns == before


def test_labels_of_another_setting_are_not_mixed(shards, random_sam2, labelled):
    with pytest.raises(InputError, match="use another --out"):
        label(str(shards), str(labelled), random_sam2, LabelConfig(grid=3), "local", 1)


def test_a_missing_teacher_is_one_line_with_two_workers_too(shards, tmp_path, monkeypatch):
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path / "empty"))
    for workers in (1, 2):
        with pytest.raises(InputError, match="run picosam2 teacher fetch"):
            label(str(shards), str(tmp_path / "out"), "sam2-tiny", EVERYTHING, "local", workers)


@pytest.mark.cluster
def test_ray_refuses_what_it_cannot_do(shards, random_sam2, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 1}')
    with pytest.raises(InputError, match="has room for 1 workers: use --workers 1"):
        label(str(shards), str(tmp_path / "out"), random_sam2, EVERYTHING, "ray", 2)
    monkeypatch.setenv("PICOSAM2_CACHE", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="run picosam2 teacher fetch"):
        label(str(shards), str(tmp_path / "out"), "sam2-tiny", EVERYTHING, "ray", 1)
    assert not list((tmp_path / "out").glob("*.tar"))


def test_a_wrong_teacher_does_not_spoil_the_folder(shards, random_sam2, labelled, tmp_path):
    with pytest.raises(InputError, match="unknown teacher"):
        label(str(shards), str(tmp_path), "sam9", EVERYTHING, "local", 1)
    label(str(shards), str(tmp_path), random_sam2, EVERYTHING, "local", 1)
    assert contents(tmp_path) == contents(labelled)


def test_shards_of_equal_names_are_told_apart(shards, random_sam2, labelled, tmp_path):
    """Numbered shards of two imports have the same names: the second is not taken as done."""
    first, *_, last = sorted(shards.glob("*.tar"))
    (tmp_path / first.name).write_bytes(last.read_bytes())
    with pytest.raises(InputError, match="labels of other photographs"):
        label(str(tmp_path), str(labelled), random_sam2, EVERYTHING, "local", 1)


def test_photographs_are_not_replaced_by_their_labels(shards, random_sam2, monkeypatch):
    monkeypatch.chdir(shards.parent)
    with pytest.raises(InputError, match="give another --out"):
        label(str(shards), f"{shards.name}/", random_sam2, EVERYTHING, "local", 1)


def test_what_is_all_there_needs_no_teacher(shards, labelled, random_sam2, monkeypatch):
    executor = "picosam2.labelling.executors.local.load_teacher"
    monkeypatch.setattr(executor, lambda _: pytest.fail("a teacher was loaded"))
    label(str(shards), str(labelled), random_sam2, EVERYTHING, "local", 1)


def test_labels_are_written_to_any_file_system(shards, random_sam2, labelled):
    cached = f"simplecache::file://{shards}"
    done = label(cached, "memory://labels/out", random_sam2, EVERYTHING, "local", 1)
    assert (done.photographs, done.left_out) == (len(open_source(shards)), 0)
    fs = fsspec.filesystem("memory")
    found = {name.rpartition("/")[2]: fs.cat_file(name) for name in fs.ls("/labels/out", False)}
    assert found == contents(labelled)


def test_a_damaged_photograph_is_named_and_left_out(shards, random_sam2, tmp_path, capsys):
    (sample, other) = read_shard(str(sorted(shards.glob("*.tar"))[0]), Problems())
    damaged = bytearray(sample.photograph.read())
    damaged[2:400] = bytes(398)
    (tmp_path / "in").mkdir()
    with writing_shard(str(tmp_path / "in" / "a.tar")) as shard:
        shard.add(sample.key, sample.record, bytes(damaged))
        shard.add(other.key, other.record, other.photograph.read())
    problems = Problems()
    folders = str(tmp_path / "in"), str(tmp_path / "out")
    label(*folders, random_sam2, EVERYTHING, "local", 1, problems)
    problems.say()
    assert sample.key in capsys.readouterr().err
    assert len(open_source(tmp_path / "out")) == 1
    # A kill may come after the last shard: the next run finds all there, and has this to do.
    left_out = tmp_path / "out" / "left-out.jsonl"
    before = left_out.read_bytes()
    left_out.unlink()
    label(str(tmp_path / "in"), str(tmp_path / "out"), random_sam2, EVERYTHING, "local", 1)
    assert left_out.read_bytes() == before


RUN = """
import sys, time
sys.path.insert(0, {tests!r})
import picosam2.labelling.executors.local as local
from picosam2.data.source import open_source
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.run import label
from test_labelling import SlowTeacher
local.load_teacher = lambda name: SlowTeacher([])
label({source!r}, {out!r}, "slow", LabelConfig(), "local", 1)
"""


class SlowTeacher(OutlineTeacher):
    """Answers with a disc around the prompt, a tenth of a second after being asked."""

    def predict(self, coords, labels):
        time.sleep(0.1)
        ys, xs = np.mgrid[:256, :256] + 0.5
        height, width = self.shape
        centres = coords.mean(axis=1) * 256 / np.array([width, height])
        distance = np.hypot(xs - centres[:, 0, None, None], ys - centres[:, 1, None, None])
        logits = np.repeat((40 - distance)[:, None], 3, axis=1).astype(np.float32)
        return logits, np.full((len(coords), 3), 0.9, np.float32)


def start(source: Path, out: Path) -> subprocess.Popen:
    code = RUN.format(tests=str(Path(__file__).parent), source=str(source), out=str(out))
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def whole(shards, tmp_path_factory) -> Path:
    """What the slow teacher says without a stop."""
    out = tmp_path_factory.mktemp("whole")
    assert start(shards, out).wait() == 0
    return out


def test_ten_kills_change_nothing(shards, whole, tmp_path):
    """kill -9 at random moments; in the end every byte is as in a run without a stop."""
    draw = random.Random(0)
    kills = 0
    while kills < 10:
        run = start(shards, tmp_path / "killed")
        time.sleep(draw.uniform(0.6, 2.2))
        if run.poll() is not None:
            # It was done before the moment came: what it wrote is taken away again.
            assert run.returncode == 0
            for path in (tmp_path / "killed").iterdir():
                path.unlink()
            continue
        run.send_signal(signal.SIGKILL)
        run.wait()
        kills += 1
    assert start(shards, tmp_path / "killed").wait() == 0
    assert contents(tmp_path / "killed") == contents(whole)


def test_two_runs_on_one_output_do_not_disturb_each_other(shards, whole, tmp_path):
    runs = [start(shards, tmp_path / "shared") for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert contents(tmp_path / "shared") == contents(whole)


@pytest.mark.cluster
def test_ray_repeats_the_shard_of_a_worker_that_was_killed(shards, random_sam2, labelled, tmp_path):
    pytest.importorskip("ray")
    code = (
        "from picosam2.labelling.config import LabelConfig\n"
        "from picosam2.labelling.run import label\n"
        f"label({str(shards)!r}, {str(tmp_path)!r}, {random_sam2!r}, {EVERYTHING!r}, 'ray', 2)"
    )
    run = subprocess.Popen([sys.executable, "-c", code])
    killed = False
    while run.poll() is None:
        if not killed and list(tmp_path.glob("*.tar")):
            busy = subprocess.run(
                ["pgrep", "-f", "^ray::Labeller"], capture_output=True, text=True, check=False
            )
            for pid in busy.stdout.split()[:1]:
                os.kill(int(pid), signal.SIGKILL)
                killed = True
        time.sleep(0.05)
    assert killed
    assert run.returncode == 0
    assert contents(tmp_path) == contents(labelled)


def test_labels_are_kept_without_photographs_and_joined_again(shards, labelled, tmp_path):
    packed = tmp_path / "labels.tar.xz"
    # The second half of the shards holds the same file names again.
    for folder, name in ((shards, "in"), (labelled, "out")):
        (tmp_path / name).mkdir()
        for path in [*sorted(folder.glob("*.tar"))[:2], *folder.glob("labels.json")]:
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    assert pack_labels(str(tmp_path / "out"), packed) == 4
    with tarfile.open(packed) as tar:
        assert not [name for name in tar.getnames() if name.endswith(".jpg")]
    assert join_labels(packed, str(tmp_path / "in"), str(tmp_path / "joined")) == (4, 0)
    assert contents(tmp_path / "joined") == contents(tmp_path / "out")


def test_labelling_goes_on_after_joined_labels(shards, random_sam2, labelled, tmp_path):
    first, second = sorted(labelled.glob("*.tar"))[:2]
    pack_labels(str(first), tmp_path / "labels.tar.xz")
    (tmp_path / "in").mkdir()
    for path in (first, second):
        (tmp_path / "in" / path.name).write_bytes((shards / path.name).read_bytes())
    joined = join_labels(tmp_path / "labels.tar.xz", str(tmp_path / "in"), str(tmp_path / "out"))
    assert joined == (2, 2)
    record = (labelled / "labels.json").read_bytes()
    assert contents(tmp_path / "out") == {first.name: first.read_bytes(), "labels.json": record}
    with pytest.raises(InputError, match="use another --out"):
        label(str(tmp_path / "in"), str(tmp_path / "out"), "sam2-tiny", EVERYTHING, "local", 1)
    label(str(tmp_path / "in"), str(tmp_path / "out"), random_sam2, EVERYTHING, "local", 1)
    assert (tmp_path / "out" / second.name).read_bytes() == second.read_bytes()


def test_labels_of_photographs_that_are_not_there_are_refused(shards, labelled, tmp_path):
    first, second = sorted(labelled.glob("*.tar"))[:2]
    pack_labels(str(first), tmp_path / "labels.tar.xz")
    with pytest.raises(InputError, match="of no whole shard"):
        join_labels(tmp_path / "labels.tar.xz", str(shards / second.name), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_what_could_not_be_joined_again_is_not_packed(shards, labelled, tmp_path):
    with pytest.raises(InputError, match="two photographs named"):
        pack_labels(str(labelled), tmp_path / "twice.tar.xz")
    with pytest.raises(InputError, match="picosam2 label makes labels"):
        pack_labels(str(shards), tmp_path / "none.tar.xz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", ["another photograph", "an annotation less"])
def test_labels_of_another_record_are_refused(shards, labelled, tmp_path, change):
    pack_labels(str(sorted(labelled.glob("*.tar"))[0]), tmp_path / "labels.tar.xz")
    with writing_shard(str(tmp_path / "in" / "a.tar")) as shard:
        for sample in read_shard(str(sorted(shards.glob("*.tar"))[0]), Problems()):
            image, annotations = sample.record.image, sample.record.annotations
            if change == "another photograph":
                image = msgspec.structs.replace(image, image_id=image.image_id + 100)
            else:
                annotations = annotations[1:]
            shard.add(sample.key, Record(image, annotations), sample.photograph.read())
    with pytest.raises(InputError, match=r"its labels have|has the id"):
        join_labels(tmp_path / "labels.tar.xz", str(tmp_path / "in"), str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("*"))


def test_labels_of_other_objects_are_refused(shards, labelled, tmp_path):
    packed = tmp_path / "labels.tar.xz"
    pack_labels(str(sorted(labelled.glob("*.tar"))[0]), packed)
    sample = next(read_shard(str(sorted(shards.glob("*.tar"))[0]), Problems()))
    moved = msgspec.structs.replace(sample.record.annotations[0], bbox=(0.0, 0.0, 5.0, 5.0))
    with writing_shard(str(tmp_path / "in" / "a.tar")) as shard:
        record = Record(sample.record.image, [moved, *sample.record.annotations[1:]])
        shard.add(sample.key, record, sample.photograph.read())
    with pytest.raises(InputError, match="is not the one in the labels"):
        join_labels(packed, str(tmp_path / "in"), str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("*"))


def test_a_mask_survives_the_shard(rocket):
    mask = rocket.mask(rocket.objects[0])
    assert (decode_rle(encode_mask(mask)) == mask).all()
    assert Annotation(1, (0.0, 0.0, 1.0, 1.0)).segmentation is None


def command(*arguments) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("teacher", ["nope", "./nope"])
def test_what_is_no_teacher_is_refused_before_anything_is_written(shards, tmp_path, teacher):
    result = command("label", shards, "--teacher", teacher, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "nope" in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_commands_label_pack_and_join(shards, random_sam2, tmp_path):
    (tmp_path / "in").mkdir()
    name = sorted(shards.glob("*.tar"))[0].name
    (tmp_path / "in" / name).write_bytes((shards / name).read_bytes())
    labels = tmp_path / "labels.tar.xz"
    for arguments in (
        ("label", tmp_path / "in", "--teacher", random_sam2, "--out", tmp_path / "out"),
        ("teacher", "pack", tmp_path / "out", "--out", labels),
        ("teacher", "join", labels, tmp_path / "in", "--out", tmp_path / "joined"),
    ):
        result = command(*arguments)
        assert result.exit_code == 0, result.output
        if arguments[0] == "label":
            assert "2 photographs" in result.stderr
            assert "0 left out; 0 shards were there already" in result.stderr
    assert (tmp_path / "joined" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_pack_that_wants_all_memory_or_disk_is_refused(shards, tmp_path):
    wants_memory = tmp_path / "memory.tar.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    wants_memory.write_bytes(lzma.compress(b"labels", filters=filters))
    wants_disk = tmp_path / "disk.tar.xz"
    wants_disk.write_bytes(lzma.compress(bytes(200 << 20), preset=0))
    for labels, reason in ((wants_memory, "emory"), (wants_disk, "unpacks to more")):
        with pytest.raises(InputError, match=reason):
            join_labels(labels, str(shards), str(tmp_path / "joined"))
    assert not (tmp_path / "joined").exists()


def test_the_commands_refuse_in_one_line(shards, tmp_path):
    broken = tmp_path / "labels.tar.xz"
    broken.write_bytes(b"not it")
    for arguments in (
        ("label", tmp_path, "--out", tmp_path / "out"),
        ("label", shards, "--out", ""),
        ("teacher", "pack", tmp_path, "--out", tmp_path / "packed"),
        ("teacher", "join", broken, tmp_path, "--out", tmp_path / "joined"),
        ("teacher", "join", tmp_path / "no", tmp_path, "--out", tmp_path / "joined"),
    ):
        result = command(*arguments)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [broken.name]

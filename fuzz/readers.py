"""The readers, by name: what a whole input is, how it is damaged, and how it is read."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from damage import VALUES, Whole, damaged_bytes, damaged_json, damaged_tar
from hypothesis import strategies as st
from PIL import Image

from picosam2.data.annotation_file import AnnotationFile
from picosam2.data.coco import CocoFolder
from picosam2.data.import_run import ImportOptions, import_photographs
from picosam2.data.problems import BrokenError, Problems
from picosam2.data.rle import check_rle, decode_rle, encode_mask
from picosam2.data.schema import Annotation, ImageInfo, Record, Rle, SoftTarget, TeacherMask
from picosam2.data.segmentation import parse_segmentation
from picosam2.data.soft import TILE
from picosam2.data.source import count_annotations, open_source
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.predictor.scores import read_models
from picosam2.runtime import files
from picosam2.weights import DEFAULT_MODEL, model_path

SIZE = (60, 40)
# Beyond, the time and memory are the photograph's own.
MOST_PIXELS = 50_000_000


@dataclass(frozen=True)
class Reader:
    """One reader.

    Args:
        file: the damaged file's name in the folder.
        damaged: strategy for its content.
        read: reads all of a folder; ``InputError`` and ``BrokenError`` are its right to refuse.
        prepare: puts whole files beside the damaged one, once.
    """

    file: str
    damaged: Callable[[], st.SearchStrategy[bytes]]
    read: Callable[[Path], None]
    prepare: Callable[[Path], None] | None = None


# Whole input


@cache
def picture() -> Image.Image:
    """A part of the cat, 60×40."""
    with Image.open(EXAMPLES / "images" / "chelsea.jpg") as cat:
        return cat.crop((200, 80, 260, 120)).convert("RGB")


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    given = picture().convert("L").convert("I;16") if mode == "I;16" else picture().convert(mode)
    given.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def photographs() -> list[bytes]:
    """The picture in every kind of file."""
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000"]
    files = [encoded(kind) for kind in kinds]
    files += [encoded("JPEG", "CMYK"), encoded("JPEG", "L"), encoded("JPEG", exif=turned)]
    files += [encoded("PNG", mode) for mode in ("P", "1", "RGBA", "I;16", "LA")]
    return [*files, encoded("TIFF", compression="tiff_lzw"), encoded("JPEG", progressive=True)]


def damaged_picture() -> st.SearchStrategy[bytes]:
    """One of these files, damaged."""
    return st.sampled_from(photographs()).flatmap(damaged_bytes)


def disc() -> Rle:
    """The mask of a part of the picture."""
    import numpy as np

    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return encode_mask((rows - 20) ** 2 + (columns - 30) ** 2 < 150)


def coco() -> dict[str, Any]:
    """An annotation file of the picture, with every kind of segmentation."""
    mask = disc()
    segmentations: list[Any] = [
        [[5, 5, 50, 5, 50, 30, 5, 30]],
        [[5.5, 5, 20, 5, 20, 30], [30, 5, 50, 5, 50, 30]],
        {"size": list(mask.size), "counts": mask.counts},
        {"size": list(mask.size), "counts": [100, 200, 2100]},
    ]
    return {
        "images": [
            {"id": n, "file_name": name, "width": SIZE[0], "height": SIZE[1], "original_size": None}
            for n, name in ((1, "a.jpg"), (2, "b.jpg"))
        ],
        "annotations": [
            {
                "id": number,
                "image_id": 1 + number % 2,
                "bbox": [5, 5, 45, 25],
                "area": 900.5,
                "iscrowd": 0,
                "category_id": 1,
                "segmentation": segmentation,
            }
            for number, segmentation in enumerate(segmentations, start=1)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }


def lvis() -> dict[str, Any]:
    """The same as LVIS has it."""
    content = coco()
    for image in content["images"]:
        image["coco_url"] = f"http://images.cocodataset.org/val2017/{image.pop('file_name')}"
    return content


def record() -> Record:
    """A photograph's JSON in a shard, with a teacher's labels."""
    mask = disc()
    answer = TeacherMask(mask, 0.9, 0.95, box=(5.0, 5.0, 50.0, 30.0))
    annotations = [
        Annotation(1, (5, 5, 45, 25), mask, 900.0, 0, "human", 1, "cat", teacher=[answer],
                   soft=SoftTarget(0, (0.0, 0.0, 60.0))),
        Annotation(2, (5, 5, 45, 25), mask, 900.0, 0, "teacher", predicted_iou=0.9,
                   stability_score=0.9, point_coords=[(30.5, 20.5)]),
    ]  # fmt: skip
    return Record(ImageInfo(1, *SIZE, "a.jpg", (120, 80), "val2017"), annotations)


def tiles() -> bytes:
    """One tile of logits."""
    buffer = io.BytesIO()
    Image.new("L", (TILE, TILE), 130).save(buffer, "PNG")
    return buffer.getvalue()


def shard(photograph: bool = True, content: bytes | None = None) -> bytes:
    """A shard of one photograph or its labels."""
    # Not kept: there is one for each damaged record.
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        members = {"a.json": content or msgspec.json.encode(record()), "a.soft.png": tiles()}
        members |= {"a.jpg": encoded("JPEG")} if photograph else {}
        members["__labels.json__"] = b'{"teacher": "sam2-tiny", "config": {}}'
        for name, value in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(value)
            tar.addfile(info, io.BytesIO(value))
    return buffer.getvalue()


# Reading


def read_photograph(folder: Path) -> None:
    """As ``picosam2 segment`` does."""
    path = folder / "photograph"
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                return
    # Whether Pillow can open it is what is asked next.
    except Exception:
        pass
    load_image(path)


def labelme() -> dict[str, Any]:
    """A whole file of each kind of shape."""
    mask = base64.b64encode(encoded("PNG")).decode()
    kinds = {
        "polygon": [[5, 5], [30, 8], [20, 30]],
        "rectangle": [[5, 5], [30, 25]],
        "circle": [[20, 20], [30, 20]],
        "mask": [[0, 0], [59, 39]],
    }
    shapes = [
        {"label": kind, "points": points, "shape_type": kind, "group_id": number % 2, "flags": {}}
        | ({"mask": mask} if kind == "mask" else {})
        for number, (kind, points) in enumerate(kinds.items())
    ]
    content = base64.b64encode(encoded("JPEG")).decode()
    size = {"imageHeight": SIZE[1], "imageWidth": SIZE[0]}
    return {"version": "5.5.0", "shapes": shapes, "imagePath": "a.jpg", "imageData": content} | size


def put_photographs(folder: Path) -> None:
    """As COCO's folders have them."""
    for name in ("images", "val2017", "JPEGImages"):
        (folder / name).mkdir()
        for file in ("a.jpg", "b.jpg"):
            (folder / name / file).write_bytes(encoded("JPEG"))


def put_masks(folder: Path) -> None:
    """Photographs with a whole mask, beside which the damaged one comes."""
    put_photographs(folder)
    for name in ("masks", "SegmentationObject", "SegmentationClass"):
        (folder / name).mkdir()
        encoded_mask = picture().convert("L").point(lambda v: 1 if v > 120 else 0)
        encoded_mask.save(folder / name / "b.png")


def all_masks(source: Any) -> None:
    """Pixels, masks and counts of all that a source takes."""
    for photograph in source:
        photograph.load()
        photograph.soft_tiles()
        for annotation in photograph.objects:
            photograph.mask(annotation)
    count_annotations(source)


def read_coco(folder: Path) -> None:
    """As train, eval and index do, and as import does."""
    all_masks(CocoFolder(folder))
    imported("coco", folder)


def read_lvis(folder: Path) -> None:
    """As ``eval --lvis`` and import do."""
    all_masks(AnnotationFile(folder / "lvis_v1_val.json", folder))
    imported("lvis", folder, split="val")


def imported(kind: str, source: Path, split: str | None = None) -> None:
    """Import, and read what was imported."""
    import shutil

    out = source.parent / "imported"
    try:
        options = ImportOptions(split=split, max_side=48)
        import_photographs(kind, str(source), str(out), options, Problems())
        all_masks(open_source(out, problems=Problems(strict=True)))
    finally:
        shutil.rmtree(out, ignore_errors=True)


def read_tar(folder: Path) -> None:
    """As train, eval and index do, and as import and label do."""
    all_masks(open_source(folder / "a.tar", problems=Problems()))
    imported("sa1b", folder / "a.tar")


def rle_values() -> st.SearchStrategy[bytes]:
    """A segmentation of any kind, as JSON."""
    whole = [annotation["segmentation"] for annotation in coco()["annotations"]]
    counts = VALUES | st.text("0123456789:;<=>?@ABCDEFGHIJKLMNOPabcdefgho", max_size=30)
    sizes = st.sampled_from([[40, 60], [60, 40], [40.0, 60], ["40", 60], [40], None])
    runs = st.fixed_dictionaries({"size": sizes, "counts": counts})
    coordinates = st.floats(-100, 200) | st.sampled_from([1e5, 9e6, 1e7, -9e6, float("nan"), 1e30])
    polygons = st.lists(st.lists(coordinates, min_size=4, max_size=400), max_size=6)
    changed = st.sampled_from([json.dumps({"s": s}) for s in whole]).flatmap(damaged_json)
    made = st.one_of(runs, polygons, VALUES).map(lambda s: json.dumps({"s": s}).encode())
    return changed | made


def read_rle(folder: Path) -> None:
    """As every reader of annotations does."""
    try:
        given = json.loads((folder / "rle.json").read_bytes())["s"]
    # What is no JSON is another reader's matter.
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for height, width in ((40, 60), (3000, 4000)):
        try:
            rle = parse_segmentation(given, height, width)
        except BrokenError:
            continue
        check_rle(rle, height, width)
        decode_rle(rle)


def damaged_pack() -> st.SearchStrategy[bytes]:
    """A pack whose records, tar or compression is damaged."""
    labels = msgspec.json.encode(record()).decode()
    packed = lzma.compress(shard(photograph=False), preset=0)
    by_json = damaged_json(labels).map(lambda content: shard(False, content))
    inner = by_json | damaged_tar(shard(photograph=False))
    return inner.map(lambda tar: lzma.compress(tar, preset=0)) | damaged_bytes(packed)


def put_shard(folder: Path) -> None:
    """The photographs that the labels are joined to."""
    (folder / "shards").mkdir()
    human = msgspec.structs.replace(record().annotations[0], teacher=[], soft=None)
    plain = msgspec.json.encode(Record(record().image, [human]))
    (folder / "shards" / "a.tar").write_bytes(shard(content=plain))


def read_pack(folder: Path) -> None:
    """As ``picosam2 teacher join`` does."""
    import shutil

    from picosam2.labelling.pack import join_labels

    out = folder.parent / "joined"
    try:
        join_labels(folder / "labels.tar.xz", str(folder / "shards"), str(out))
        all_masks(open_source(out, problems=Problems()))
    finally:
        shutil.rmtree(out, ignore_errors=True)


def damaged_safetensors(content: bytes) -> st.SearchStrategy[bytes]:
    """The tensors' JSON header damaged, or the bytes."""
    length = int.from_bytes(content[:8], "little")
    header, tensors = content[8 : 8 + length], content[8 + length :]

    def assemble(damaged: bytes) -> bytes:
        return len(damaged).to_bytes(8, "little") + damaged + tensors

    return damaged_json(header.decode()).map(assemble) | damaged_bytes(content)


@cache
def small_network() -> Any:
    """A network of a few channels."""
    import torch

    from picosam2.model import PaperConfig, build

    torch.manual_seed(0)
    return build(PaperConfig((4, 8), 8, (8, 4)))


@cache
def weights() -> bytes:
    """Its file."""
    import tempfile

    from picosam2.checkpoint import save_weights

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.safetensors"
        save_weights(path, small_network())
        return path.read_bytes()


def read_weights(folder: Path) -> None:
    """As train, eval and export do."""
    from picosam2.checkpoint import load_weights

    load_weights(folder / "w.safetensors")


def optimizers_of(network: Any) -> list[Any]:
    """Those of a run."""
    import torch

    return [torch.optim.AdamW(network.parameters(), lr=1e-3)]


@cache
def state() -> bytes:
    """The state of a run after one step."""
    import tempfile

    from picosam2.training.state import save_state

    network = small_network()
    optimizers = optimizers_of(network)
    sum(parameter.sum() for parameter in network.parameters()).backward()
    optimizers[0].step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        save_state(path, network, network, optimizers, 1)
        return path.read_bytes()


def read_state(folder: Path) -> None:
    """As a run that goes on does."""
    from picosam2.model import build
    from picosam2.training.state import load_state

    network, average = (build(small_network().config) for _ in range(2))
    load_state(folder / "state.safetensors", network, average, optimizers_of(network))


@cache
def onnx() -> bytes:
    """The shipped INT8 model."""
    from picosam2.weights import DEFAULT_MODEL, model_path

    return model_path(DEFAULT_MODEL).read_bytes()


def read_onnx(folder: Path) -> None:
    """As ``segment --weights`` does, and one crop."""
    import numpy as np

    from picosam2.runtime.onnx import OnnxRuntime

    OnnxRuntime(folder / "m.onnx", threads=1)(np.zeros((1, 96, 96, 3), np.uint8))


def sidecar() -> str:
    """What an export to C source says of itself."""
    verification = {
        "mask_iou": 0.97, "crops": 300, "logit_error": 0.1, "passed": True,
        "miou": {"box": 0.6}, "fp32_miou": {"box": 0.61},
    }  # fmt: skip
    content = {
        "target": "c-array", "model": "picosam2.tflite", "bytes": 1_400_000,
        "verification": verification, "memory": {"arena_kib": 1910.0}, "weights_sha256": "0" * 64,
        "network": {"family": "small", "macs": 85_391_232, "activation_bytes": {"1": 479_299}},
    }  # fmt: skip
    return json.dumps(content)


def read_sidecar(folder: Path) -> None:
    """As ``picosam2 fit`` does."""
    from picosam2.export.fit import fit_table, measure_fit

    fit_table(measure_fit(folder))


def scores() -> str:
    """How sure to be of a model's masks, beside it."""
    path = model_path(DEFAULT_MODEL).with_suffix(".json")
    return json.dumps({"scores": json.loads(path.read_bytes())["scores"]})


def read_scores(folder: Path) -> None:
    """As ``Predictor.from_pretrained`` does."""
    read_models(files.read_sidecar(folder / "model.onnx").scores)


def put_export(folder: Path) -> None:
    """The folder of an export."""
    (folder / "c").mkdir()


def boxes() -> str:
    """A detector's boxes as COCO's results."""
    box = {"image_id": 139, "category_id": 17, "bbox": [60.5, 10.0, 20.0, 25.0], "score": 0.9}
    return json.dumps([box, {"file_name": "a.jpg", "bbox": [1, 2, 3, 4]}])


def read_boxes_file(folder: Path) -> None:
    """As ``picosam2 segment --boxes`` does, up to which of them can be used."""
    from picosam2.data.problems import Problems
    from picosam2.segmenting.answers import usable
    from picosam2.segmenting.box_file import read_boxes
    from picosam2.segmenting.photos import PhotoFile
    from picosam2.segmenting.prompts import Prompts

    photos = [PhotoFile(folder / name, name) for name in ("a.jpg", "000000000139.jpg")]
    for given in read_boxes(folder / "boxes", photos, Problems()).values():
        usable(Prompts(boxes=given), SIZE, str)


@cache
def video() -> bytes:
    """Twelve frames in two groups of pictures: the picture, moving."""
    import av
    import numpy as np

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12, options={"g": "6"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(12):
            moved = np.roll(np.asarray(picture()), number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode())
    return Whole(buffer.getvalue())


def read_video(folder: Path) -> None:
    """As ``picosam2 track`` does, forwards and backwards, up to the damage."""
    from picosam2.video.frames import open_frames

    frames = open_frames(folder / "video.mp4")
    for reverse in (False, True):
        for _ in frames.play(len(frames) - 1 if reverse else 0, reverse):
            pass


def true_masks() -> str:
    """The true masks of a video, as ``eval --protocol video`` has them."""
    mask = disc()
    return json.dumps({"size": list(mask.size), "objects": {"1": [mask.counts] * 2}})


def read_true_masks(folder: Path) -> None:
    """As ``picosam2 eval --protocol video`` does."""
    from picosam2.evaluation.video import read_sequence

    read_sequence(folder)


def put_frames(folder: Path) -> None:
    """A video of two pictures."""
    (folder / "images").mkdir()
    for number in range(2):
        (folder / "images" / f"{number}.jpg").write_bytes(encoded("JPEG"))


def video_prompts() -> str:
    """What ``picosam2 track --prompts`` reads."""
    clicks = {"frame": 0, "object": 1, "points": [[30.5, 20]], "labels": [1]}
    box = {"frame": 1, "object": 2, "box": [5, 5, 50, 30]}
    return json.dumps([clicks, box, {"frame": 1, "object": 3, "mask": "mask.png"}])


def read_video_prompts(folder: Path) -> None:
    """As ``picosam2 track --prompts`` does."""
    from picosam2.video.prompts import read_prompt_file

    read_prompt_file(folder / "prompts.json")


def read_mask_prompt(folder: Path) -> None:
    """As ``segment --mask`` and ``track --mask`` do."""
    from picosam2.data.importers.masks import read_mask
    from picosam2.video.prompts import read_object_masks

    with contextlib.suppress(*REFUSALS):
        read_mask(folder / "mask.png", SIZE)
    read_object_masks(folder / "mask.png", SIZE[::-1])


READERS = {
    "photographs": Reader("photograph", damaged_picture, read_photograph),
    "coco": Reader(
        "instances.json", lambda: damaged_json(json.dumps(coco())), read_coco, put_photographs
    ),
    "lvis": Reader(
        "lvis_v1_val.json", lambda: damaged_json(json.dumps(lvis())), read_lvis, put_photographs
    ),
    "voc": Reader(
        "SegmentationObject/a.png",
        damaged_picture,
        lambda folder: imported("voc", folder),
        put_masks,
    ),
    "masks": Reader(
        "masks/a.png",
        damaged_picture,
        lambda folder: imported("masks", folder),
        put_masks,
    ),
    "labelme": Reader(
        "images/a.json",
        lambda: damaged_json(json.dumps(labelme())),
        lambda folder: imported("labelme", folder / "images"),
        put_photographs,
    ),
    "sa1b": Reader(
        "a.tar",
        lambda: damaged_json(msgspec.json.encode(record()).decode()).map(
            lambda content: shard(True, content)
        ),
        read_tar,
    ),
    "shards": Reader("a.tar", lambda: damaged_tar(shard()), read_tar),
    "rle": Reader("rle.json", rle_values, read_rle),
    "packs": Reader("labels.tar.xz", damaged_pack, read_pack, put_shard),
    "weights": Reader("w.safetensors", lambda: damaged_safetensors(weights()), read_weights),
    "states": Reader("state.safetensors", lambda: damaged_safetensors(state()), read_state),
    "onnx": Reader("m.onnx", lambda: damaged_bytes(Whole(onnx())), read_onnx),
    "sidecars": Reader(
        "c/picosam2.json", lambda: damaged_json(sidecar()), read_sidecar, put_export
    ),
    "scores": Reader("model.json", lambda: damaged_json(scores()), read_scores),
    "boxes": Reader("boxes", lambda: damaged_json(boxes()), read_boxes_file),
    "box lines": Reader(
        "boxes",
        lambda: damaged_bytes(Whole(b"file,x0,y0,x1,y1\na.jpg,1,2,30,40\n139.jpg,5,6,7.5,8\n")),
        read_boxes_file,
    ),
    "mask prompts": Reader("mask.png", damaged_picture, read_mask_prompt),
    "videos": Reader("video.mp4", lambda: damaged_bytes(video()), read_video),
    "video prompts": Reader(
        "prompts.json", lambda: damaged_json(video_prompts()), read_video_prompts
    ),
    "true masks": Reader(
        "masks.json", lambda: damaged_json(true_masks()), read_true_masks, put_frames
    ),
}
REFUSALS = (InputError, BrokenError)

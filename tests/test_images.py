"""Photographs of any kind and depth: the same cat from all of them, and never a black one."""

from __future__ import annotations

import io
import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from picosam2 import InputError, decoding
from picosam2.data.photograph import Photograph
from picosam2.data.schema import ImageInfo, Record
from picosam2.evaluation.memory import in_own_process, peak_resident_bytes
from picosam2.examples import EXAMPLES
from picosam2.images import load_image, open_image
from picosam2.pixels import array_to_rgb, to_rgb

PHOTO = EXAMPLES / "images" / "chelsea.jpg"


@pytest.fixture(params=[0, decoding.MIN_PIXELS], ids=["in place", "by strips"])
def decoded(request, monkeypatch):
    """Both ways of decoding: that of large photographs, and that of small and other ones."""
    monkeypatch.setattr(decoding, "MIN_PIXELS", request.param)


@pytest.fixture(scope="module")
def grey(cat) -> np.ndarray:
    """The cat in grey, 300×451 uint8, the whole range from 0 to 255."""
    values = np.asarray(Image.fromarray(cat).convert("L"))
    return np.rint(np.interp(values, (values.min(), values.max()), (0, 255))).astype(np.uint8)


def deepened(pixels: np.ndarray, bits: int) -> np.ndarray:
    """The same picture in values of more bits, as uint16."""
    return np.rint(pixels * ((2**bits - 1) / 255)).astype(np.uint16)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_values_of_any_depth_show_the_photograph(tmp_path, grey, bits, suffix):
    """What microscopes, X-ray and depth cameras save: some bits in 16."""
    Image.fromarray(deepened(grey, bits)).save(tmp_path / f"deep.{suffix}")
    shown = load_image(tmp_path / f"deep.{suffix}")
    assert np.array_equal(shown, np.repeat(grey[..., None], 3, axis=2))


def test_the_depth_is_the_least_that_holds_the_maximum(grey):
    """One value above 1023 makes it 12 bits: a dark photograph stays dark."""
    values = deepened(grey, 10)
    values[0, 0] = 1024
    assert array_to_rgb(values).max() == round(1024 * 255 / 4095)


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_of_any_depth_show_the_photograph(tmp_path, cat, bits, suffix, decoded):
    """Pillow by itself reads 16-bit colour by its high byte: 12 bits of it would be black."""
    cv2 = pytest.importorskip("cv2")
    deep, path = deepened(cat, bits), tmp_path / f"deep.{suffix}"
    deep[0, 0] = 2**bits - 1
    cv2.imwrite(str(path), deep[..., ::-1])
    expected = cat.copy()
    expected[0, 0] = 255
    assert np.array_equal(load_image(path), expected)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert np.array_equal(to_rgb(image), expected)


def test_floats_within_0_and_1_are_shares_and_nan_is_black(tmp_path, grey):
    values = (grey / 255).astype(np.float32)
    values[:10] = np.nan
    Image.fromarray(values).save(tmp_path / "shares.tif")
    shown = load_image(tmp_path / "shares.tif")[..., 0]
    assert (shown[:10] == 0).all()
    assert np.array_equal(shown[10:], grey[10:])


@pytest.mark.parametrize(
    ("scale", "offset", "kind"),
    [(12.5, 800, np.float32), (16, -1024, np.int16), (100_000, 0, np.int32), (5, -600, np.float64)],
    ids=["depth in mm", "Hounsfield units", "counts beyond 16 bits", "about 0"],
)
def test_all_else_goes_from_percentile_to_percentile(grey, scale, offset, kind):
    values = (grey.astype(float) * scale + offset).astype(kind)
    values[0, :5] = values.max() * 40 if kind != np.int16 else 32767, *[values.min()] * 4
    low, high = np.percentile(values, (0.1, 99.9))
    expected = np.rint((values.astype(float) - low) / (high - low) * 255).clip(0, 255)
    shown = array_to_rgb(values)[..., 0]
    assert np.abs(shown - expected).max() <= 1
    assert shown.std() > 40, "a single outlier leaves the photograph its contrast"


@pytest.mark.parametrize("value", [5.0, np.nan, -3, 70_000])
def test_an_image_without_contrast_is_black_and_no_error(value):
    assert (array_to_rgb(np.full((4, 4), value)) == 0).all()


def test_infinite_values_are_black_and_white():
    values = np.linspace(-5, 5, 10_000).reshape(100, 100)
    values[0, :2] = -np.inf, np.inf
    shown = array_to_rgb(values)
    assert shown[0, :2, 0].tolist() == [0, 255]
    assert shown.std() > 40


def test_a_range_fixes_black_and_white(tmp_path, grey):
    Image.fromarray(deepened(grey, 12)).save(tmp_path / "deep.png")
    Image.fromarray(grey).save(tmp_path / "plain.png")
    assert load_image(tmp_path / "deep.png", (0, 65535)).max() == 16
    assert np.array_equal(
        load_image(tmp_path / "deep.png", (0, 4095)), load_image(tmp_path / "plain.png")
    )
    assert np.array_equal(
        load_image(tmp_path / "plain.png", (100, 200))[..., 0],
        np.rint((grey.astype(float) - 100) * 2.55).clip(0, 255),
    )
    for empty in ((5, 5), (9, 1), (0, float("nan")), (float("-inf"), 0)):
        with pytest.raises(InputError, match="give LOW,HIGH"):
            load_image(tmp_path / "plain.png", empty)


def test_what_was_done_is_one_line(tmp_path, grey, caplog):
    Image.fromarray(deepened(grey, 12)).save(tmp_path / "deep.png")
    with caplog.at_level(logging.WARNING, "picosam2"):
        load_image(tmp_path / "deep.png")
        load_image(PHOTO)
    (message,) = caplog.messages
    assert f"{tmp_path}/deep.png: 12-bit values: 0 became black, 4095 white" in message


def test_training_data_is_read_by_the_same_rule(tmp_path, grey):
    deep = tmp_path / "deep.png"
    Image.fromarray(deepened(grey, 12)).save(deep)

    class File:
        def read(self):
            return deep.read_bytes()

    info = ImageInfo(1, width=451, height=300, file_name="deep.png")
    assert np.array_equal(Photograph(Record(info, []), File()).load()[..., 0], grey)


def test_the_predictor_takes_arrays_and_images_of_any_depth(predictor, grey):
    """All of these are the same photograph, so they have the same mask."""
    predictor.set_image(np.repeat(grey[..., None], 3, axis=2))
    expected = predictor.predict([[230, 160]])[0]
    deep = deepened(grey, 12)
    for image in (grey, grey[..., None], deep, deep.astype(np.int64), grey / 255,
                  Image.fromarray(deep), Image.fromarray(grey)):  # fmt: skip
        predictor.set_image(image)
        assert np.array_equal(predictor.predict([[230, 160]])[0], expected)
    predictor.set_image(deep, value_range=(0, 65535))
    assert not np.array_equal(predictor.predict([[230, 160]])[0], expected)


def test_an_rgb_array_is_not_copied(predictor, cat):
    assert array_to_rgb(cat) is cat


def test_a_bool_array_is_black_and_white():
    assert array_to_rgb(np.eye(2, dtype=bool))[..., 0].tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_every_exif_orientation_is_turned_upright(tmp_path, cat, orientation, mode, decoded):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(cat).convert(mode).save(tmp_path / "phone.png", exif=exif)
    with Image.open(tmp_path / "phone.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(load_image(tmp_path / "phone.png"), expected)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_tiff_of_every_orientation_is_turned_once(
    tmp_path, cat, mode, orientation, compression, decoded
):
    """Pillow turns this format alone by itself."""
    stored = Image.fromarray(cat).convert(mode)
    path = tmp_path / "scan.tif"
    stored.save(path, tiffinfo={0x0112: orientation}, compression=compression)
    exif = stored.getexif()
    exif[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    assert np.array_equal(load_image(path), upright)
    with open_image(path, path.name) as image:
        assert image.size == stored.size
        assert np.array_equal(to_rgb(image, upright=False), np.asarray(stored.convert("RGB")))
    # An image that a program opens itself; grey that is not compressed Pillow then misreads.
    if compression or mode == "RGB":
        with Image.open(path) as image:
            assert np.array_equal(to_rgb(image), upright)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jpg", "png", "ppm", "tga", "tif", "webp"])
def test_every_file_is_decoded_as_pillow_does_it(tmp_path, cat, suffix, decoded):
    Image.fromarray(cat).save(tmp_path / f"cat.{suffix}")
    with Image.open(tmp_path / f"cat.{suffix}") as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(load_image(tmp_path / f"cat.{suffix}"), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_laid_on_white(tmp_path, cat, mode, decoded):
    image = Image.fromarray(cat).convert(mode)
    if mode == "P":
        image.info["transparency"] = bytes(255 - n // 2 for n in range(256))
    else:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "cat.png")
    with Image.open(tmp_path / "cat.png") as stored:
        white = Image.new("RGBA", stored.size, "white")
        laid = Image.alpha_composite(white, stored.convert("RGBA"))
    assert np.array_equal(load_image(tmp_path / "cat.png"), np.asarray(laid.convert("RGB")))


def png_with_clear_value(path, values: np.ndarray, bits: int, clear: int) -> None:
    """A grey PNG of values of 2, 4 or 16 bits, one of which is transparent: Pillow writes none."""
    height, width = values.shape
    rows = [
        row.astype(">u2").tobytes()
        if bits == 16
        else np.packbits(np.unpackbits(row.astype(np.uint8)[:, None], 1)[:, -bits:]).tobytes()
        for row in values
    ]
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0),
        b"tRNS": struct.pack(">H", clear),
        b"IDAT": zlib.compress(b"".join(b"\0" + row for row in rows)),
        b"IEND": b"",
    }
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
            for kind, content in chunks.items()
        )
    )


@pytest.mark.parametrize("bits", [2, 4, 16])
def test_a_transparent_value_of_any_depth_is_laid_on_white(tmp_path, bits):
    most = 2**bits - 1
    values = np.array([[0, 1, 2, most]] * 4)
    png_with_clear_value(tmp_path / "clear.png", values, bits, 1)
    expected = [0, 255, round(2 * 255 / most), 255]
    assert load_image(tmp_path / "clear.png")[0, :, 0].tolist() == expected


def test_a_transparent_value_says_nothing_about_the_depth(tmp_path):
    """12 bits around which all is 65535."""
    png_with_clear_value(tmp_path / "clear.png", np.array([[0, 4095, 65535]]), 16, 65535)
    assert load_image(tmp_path / "clear.png")[0, :, 0].tolist() == [0, 255, 255]
    png_with_clear_value(tmp_path / "clear.png", np.array([[0, 4095, 65535]]), 16, 0)
    assert load_image(tmp_path / "clear.png")[0, :, 0].tolist() == [255, 16, 255]


def test_an_image_that_a_program_holds_stays_as_it_is(predictor, cat, decoded):
    """Only files that are opened here are decoded in memory that changes afterwards."""
    with Image.open(PHOTO) as image:
        predictor.set_image(image)
        assert np.array_equal(np.asarray(image), cat)


@pytest.mark.parametrize(
    "kind", ["photo.jpg", "photo.png", "sideways.jpg", "clear.png", "deep.png", "colour.png"]
)
def test_a_large_photograph_is_read_in_2_and_a_half_times_its_pixels(tmp_path, cat, kind):
    """24 megapixels of a telephone; what the process needs for itself is not counted."""
    photo, path = Image.fromarray(cat).resize((6000, 4000)), tmp_path / kind
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind == "deep.png":
        Image.fromarray(deepened(np.asarray(photo.convert("L")), 12)).save(path, compress_level=1)
    elif kind == "colour.png":
        cv2 = pytest.importorskip("cv2")
        cv2.imwrite(str(path), deepened(np.asarray(photo), 12))
    elif kind.endswith(".png"):
        photo.convert("RGBA" if kind == "clear.png" else "RGB").save(path, compress_level=1)
    else:
        photo.save(path, **{"exif": exif} if kind == "sideways.jpg" else {})
    needed = in_own_process(memory_of_reading, path)
    assert needed <= 2.5 * 6000 * 4000 * 3


def memory_of_reading(path):
    load_image(PHOTO)
    before = peak_resident_bytes()
    load_image(path)
    return peak_resident_bytes() - before

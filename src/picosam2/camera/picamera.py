"""The Raspberry Pi AI Camera (Sony IMX500) through picamera2: the network runs in the sensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from picosam2.camera.base import Frame
from picosam2.errors import InputError
from picosam2.overlay import COLOUR
from picosam2.prompt import CROP_SIZE, Region

# H, W of the pixel array. Regions count its pixels, whatever mode the sensor is read out in.
SENSOR_SIZE = (3040, 4056)
# W, H of the preview: a quarter of the sensor, so that it shows the whole frame undistorted.
PREVIEW_SIZE = (1014, 760)
FRAME_RATE = 30
BUFFERS = 12
MASK_ALPHA = 110
INSTALL = (
    "picamera2 is missing, it comes with Raspberry Pi OS: sudo apt install imx500-all "
    "python3-picamera2, and make the environment with python3 -m venv --system-site-packages"
)


class ImxCamera:
    """Runs ``network.rpk`` on one region of every frame, in the sensor.

    Args:
        network: the file that ``imx500-package`` made.
        preview: whether to open a preview window.
        pixels: whether frames carry their pixels.

    Raises:
        InputError: picamera2 or the camera is missing, or the file is not this network.
    """

    frame_size = SENSOR_SIZE
    # One pixel of the sensor for each of the network's.
    min_side = CROP_SIZE

    def __init__(self, network: Path, preview: bool = True, pixels: bool = False) -> None:
        if not network.is_file():
            raise InputError(
                f"no such file: {network}; imx500-package makes it, see docs/imx500.md"
            )
        try:
            from picamera2 import Picamera2
            from picamera2.devices import IMX500
        except ImportError:
            raise InputError(INSTALL) from None
        try:
            # Before Picamera2 is opened: the network is uploaded when the sensor starts.
            self._imx500: Any = IMX500(str(network))
        except RuntimeError as error:
            raise InputError(f"the AI Camera does not start with {network}: {error}") from None
        if tuple(self._imx500.get_input_size()) != (CROP_SIZE, CROP_SIZE):
            width, height = self._imx500.get_input_size()
            raise InputError(f"{network} takes {width}×{height} pixels: it is not PicoSAM2")
        self._pixels = pixels
        try:
            self._picamera: Any = Picamera2(self._imx500.camera_num)
        except RuntimeError as error:
            message = "the camera does not open; is another program using it?"
            raise InputError(f"{message} ({error})") from None
        height, width = SENSOR_SIZE
        # Without a queue a frame is one that arrives after it was asked for.
        config = self._picamera.create_preview_configuration(
            main={"size": PREVIEW_SIZE, "format": "XBGR8888"},
            controls={"FrameRate": FRAME_RATE, "ScalerCrop": (0, 0, width, height)},
            buffer_count=BUFFERS,
            queue=False,
        )
        self._imx500.show_network_fw_progress_bar()
        try:
            self._picamera.start(config, show_preview=preview)
        except RuntimeError as error:
            self._picamera.close()
            raise InputError(f"the camera does not start: {error}") from None
        width, height = self._picamera.camera_configuration()["main"]["size"]
        self.preview_size: tuple[int, int] = height, width

    def set_region(self, region: Region) -> None:
        """See ``Camera``."""
        self._imx500.set_inference_roi_abs((region.x, region.y, region.width, region.height))

    def read(self) -> Frame:
        """See ``Camera``; a camera always has one more frame."""
        request = self._picamera.capture_request()
        try:
            metadata = request.get_metadata()
            # XBGR8888 lies in memory as R, G, B, X.
            image = request.make_array("main")[..., :3] if self._pixels else None
        finally:
            request.release()
        dnn, dsp = self._imx500.get_kpi_info(metadata) or (None, None)
        outputs = self._imx500.get_outputs(metadata)
        if outputs is None:
            return Frame(None, inference_ms=dnn, dsp_ms=dsp, image=image)
        logits, score = _named(outputs)
        return Frame(logits, score, dnn, dsp, image)

    def show(self, mask: NDArray[np.bool_] | None) -> None:
        """See ``Camera``."""
        if mask is None:
            self._picamera.set_overlay(None)
            return
        overlay = np.zeros((*mask.shape, 4), np.uint8)
        overlay[mask] = (*COLOUR, MASK_ALPHA)
        self._picamera.set_overlay(overlay)

    def close(self) -> None:
        """See ``Camera``."""
        self._picamera.stop()
        self._picamera.close()


def _named(outputs: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], float]:
    """Mask logits 96×96 and predicted IoU, told apart by their size.

    Raises:
        InputError: these are another network's outputs.
    """
    by_size = {output.size: output for output in outputs}
    if set(by_size) != {CROP_SIZE**2, 1}:
        shapes = ", ".join(str(output.shape) for output in outputs)
        raise InputError(f"the network's outputs are {shapes}: it is not PicoSAM2")
    logits = by_size[CROP_SIZE**2].reshape(CROP_SIZE, CROP_SIZE).astype(np.float32, copy=False)
    return logits, float(expit(by_size[1].item()))

"""picamera2 and its IMX500 class as documented, nothing more: any other call is an error.

Signatures are those of raspberrypi/picamera2's source; the sensor is replayed, with its delay.
"""

from __future__ import annotations

import sys
from itertools import repeat
from types import ModuleType
from typing import Any

import numpy as np
from conftest import EXAMPLES
from PIL import Image

from picosam2.camera.replay import ReplayCamera
from picosam2.prompt import Region
from picosam2.runtime import Runtime

SENSOR = (4056, 3040)


def install(monkeypatch: Any, runtime: Runtime) -> Sensor:
    """Make ``import picamera2`` give the fake, whose sensor looks at the cup of coffee."""
    sensor = Sensor(runtime)

    class SensorIMX500(IMX500):
        _sensor = sensor

    class SensorPicamera2(Picamera2):
        _sensor = sensor

    package, devices = ModuleType("picamera2"), ModuleType("picamera2.devices")
    package.Picamera2, devices.IMX500 = SensorPicamera2, SensorIMX500
    monkeypatch.setitem(sys.modules, "picamera2", package)
    monkeypatch.setitem(sys.modules, "picamera2.devices", devices)
    return sensor


class Sensor:
    """What lies behind both classes."""

    def __init__(self, runtime: Runtime) -> None:
        with Image.open(EXAMPLES / "images" / "coffee.jpg") as photograph:
            self.scene = np.asarray(photograph.convert("RGB").resize(SENSOR))
            self.preview = np.asarray(photograph.convert("RGBA").resize((1014, 760)))
        self.camera = ReplayCamera(repeat(self.scene), runtime)
        self.input_size = (96, 96)
        self.network: str | None = None
        self.running = self.closed = False
        self.stop_after: int | None = None
        self.requests: list[CompletedRequest] = []
        self.regions: list[tuple[int, int, int, int]] = []
        self.overlays: list[np.ndarray | None] = []
        self.config: dict[str, Any] = {}
        self.busy = self.stuck = False


class IMX500:
    _sensor: Sensor

    def __init__(self, network_file: str, camera_id: str = "") -> None:
        assert isinstance(network_file, str)
        if "broken" in network_file:
            raise RuntimeError("IMX500: Unable to set network firmware")
        self._sensor.network = network_file

    @property
    def camera_num(self) -> int:
        return 1

    def get_input_size(self) -> tuple[int, int]:
        return self._sensor.input_size

    def show_network_fw_progress_bar(self) -> None:
        assert not self._sensor.running

    def set_inference_roi_abs(self, roi: tuple) -> None:
        assert isinstance(roi, tuple)
        assert all(type(value) is int for value in roi)
        x, y, width, height = roi
        assert 0 <= x < x + width <= SENSOR[0]
        assert 0 <= y < y + height <= SENSOR[1]
        self._sensor.regions.append(roi)
        self._sensor.camera.set_region(Region(x, y, width, height))

    def get_outputs(self, metadata: dict, add_batch: bool = False) -> list[np.ndarray] | None:
        assert not add_batch
        tensor = metadata.get("CnnOutputTensor")
        if not tensor:
            return None
        values = np.array(tensor, np.float32)
        return [values[: 96 * 96].reshape(1, 96, 96), values[96 * 96 :].reshape(1, 1, 1)]

    @staticmethod
    def get_kpi_info(metadata: dict) -> tuple[float, float] | None:
        kpi = metadata.get("CnnKpiInfo")
        return None if kpi is None else (kpi[0] / 1000, kpi[1] / 1000)


class Picamera2:
    _sensor: Sensor

    def __init__(self, camera_num=0, verbose_console=None, tuning=None, allocator=None) -> None:
        assert self._sensor.network is not None, "IMX500 must come before Picamera2"
        assert camera_num == 1
        if self._sensor.busy:
            raise RuntimeError("Camera __init__ sequence did not complete.")

    # ruff: noqa: B006
    def create_preview_configuration(
        self, main={}, lores=None, raw={}, transform=None, colour_space=None, buffer_count=4,
        controls={}, display="main", encode="main", queue=True, sensor={}, use_case="preview",
    ) -> dict:  # fmt: skip
        assert set(main) <= {"size", "format"}
        assert set(controls) <= {"FrameRate", "ScalerCrop"}
        return {"main": dict(main), "controls": controls, "queue": queue}

    def start(self, config=None, show_preview=False) -> None:
        if self._sensor.stuck:
            raise RuntimeError("Failed to start camera")
        self._sensor.config, self._sensor.running = config, True

    def camera_configuration(self) -> dict:
        return self._sensor.config

    def capture_request(self, wait=None, signal_function=None, flush=None) -> CompletedRequest:
        assert self._sensor.running
        assert all(request.released for request in self._sensor.requests), "release requests"
        if len(self._sensor.requests) == self._sensor.stop_after:
            raise KeyboardInterrupt
        self._sensor.requests.append(CompletedRequest(self._sensor))
        return self._sensor.requests[-1]

    def set_overlay(self, overlay) -> None:
        assert overlay is None or (overlay.ndim == 3 and overlay.shape[2] == 4)
        assert overlay is None or overlay.dtype == np.uint8
        self._sensor.overlays.append(overlay)

    def stop(self) -> None:
        self._sensor.running = False

    def close(self) -> None:
        assert not self._sensor.running
        self._sensor.closed = True


class CompletedRequest:
    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self.released = False

    def get_metadata(self) -> dict:
        assert not self.released
        # The first frames after the start carry no tensor.
        if len(self._sensor.requests) < 3:
            return {"ScalerCrop": (0, 0, *SENSOR)}
        frame = self._sensor.camera.read()
        logit = np.log(frame.score / (1 - frame.score))
        return {
            "ScalerCrop": (0, 0, *SENSOR),
            "CnnOutputTensor": (*frame.logits.ravel().tolist(), float(logit)),
            "CnnKpiInfo": (14300, 900),
        }

    def make_array(self, name: str) -> np.ndarray:
        assert not self.released
        assert name == "main"
        return self._sensor.preview

    def release(self) -> None:
        assert not self.released
        self.released = True

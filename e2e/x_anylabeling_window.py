"""X-AnyLabeling's own window, clicked by Qt's events: what its Python runs for x_anylabeling.py.

Loads a model as a custom one, clicks with the smart point, and prints the shapes as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

PATIENCE = 120.0


def wait(app: QApplication, done: Callable[[], bool]) -> None:
    """Let the window work until something is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            raise SystemExit("X-AnyLabeling does not answer")
        app.processEvents()
        time.sleep(0.02)


def main() -> None:
    """Load, click, print, take a picture."""
    model, photo, place, picture = sys.argv[1:]
    x, y = map(float, place.split(","))
    from anylabeling import config as settings
    from anylabeling.resources import resources  # noqa: F401
    from anylabeling.services.auto_labeling.types import AutoLabelingMode
    from anylabeling.views.labeling.utils.theme import get_app_stylesheet, init_theme
    from anylabeling.views.mainwindow import MainWindow

    settings.current_config_file = str(Path.home() / ".xanylabelingrc")
    config = settings.get_config(settings.current_config_file, {}, show_msg=False)
    app = QApplication(sys.argv[:1])
    init_theme("light")
    app.setStyleSheet(get_app_stylesheet())
    window = MainWindow(app, config=config, filename=photo)
    window.resize(1400, 900)
    window.show()
    view = window.labeling_widget.view
    wait(app, lambda: view.image is not None and not view.image.isNull())
    view.toggle_auto_labeling_widget()
    manager = view.auto_labeling_widget.model_manager
    manager.load_custom_model(model)
    wait(app, lambda: bool(manager.loaded_model_config and "model" in manager.loaded_model_config))
    view.auto_labeling_widget.set_auto_labeling_mode(AutoLabelingMode.ADD, AutoLabelingMode.POINT)
    wait(app, lambda: view.canvas.isVisible() and view.canvas.width() > 100)
    canvas = view.canvas
    where = (QPointF(x, y) + canvas.offset_to_center()) * canvas.scale
    QTest.mouseMove(canvas, where.toPoint())
    QTest.mouseClick(
        canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, where.toPoint()
    )
    wait(app, lambda: any(shape.label == "AUTOLABEL_OBJECT" for shape in canvas.shapes))
    # It is drawn a moment later.
    QTest.qWait(500)
    window.grab().save(picture, quality=80)
    shapes = [
        {"type": shape.shape_type, "points": [[p.x(), p.y()] for p in shape.points]}
        for shape in canvas.shapes
        if shape.label == "AUTOLABEL_OBJECT"
    ]
    print(json.dumps(shapes))
    sys.stdout.flush()
    # Its threads are not to be waited for.
    os._exit(0)


if __name__ == "__main__":
    main()

"""One page about runs of ``picosam2 eval --out``: tables, plots, masks."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from picosam2.errors import InputError
from picosam2.evaluation.compare import RUN_FILE
from picosam2.evaluation.report.page import render_html, render_markdown
from picosam2.evaluation.report.tables import make_tables
from picosam2.files import replacing
from picosam2.output import json_text

# The figures of each object are in run.json; where the photographs lie is nobody's business.
PRIVATE = ("objects", "source")


def write_report(runs: list[Path], out: Path) -> Path:
    """Write ``report.html`` (self-contained), ``report.md`` and ``report.json``.

    Args:
        runs: folders of ``picosam2 eval --out``.
        out: folder of the three files.

    Returns:
        The page.

    Raises:
        InputError: a run is missing, damaged or not finished, or a file cannot be written.
    """
    loaded = [_load(run) for run in runs]
    tables = make_tables(loaded)
    figures = [
        {key: value for key, value in run.items() if key not in PRIVATE}
        | {"segmenters": {k: _without_objects(s) for k, s in run["segmenters"].items()}}
        for run in loaded
    ]
    texts = {
        "report.json": json_text({"runs": figures}),
        "report.md": render_markdown(tables, loaded),
        "report.html": render_html(tables, loaded, runs),
    }
    # All are there before the first takes its name: they belong together.
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(replacing(out / name)) for name in texts]
        for file, text in zip(files, texts.values(), strict=True):
            file.write_text(text, encoding="utf-8")
    return out / "report.html"


def _without_objects(segmenter: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in segmenter.items() if key != "objects"}


def _load(run: Path) -> dict[str, Any]:
    path = run / RUN_FILE
    if not path.is_file():
        raise InputError(f"{run} has no {RUN_FILE}: let picosam2 eval --out {run} end first")
    try:
        content = json.loads(path.read_bytes())
        for key in ("data", "machine", "versions", "command", "source", "objects"):
            content[key]
        for segmenter in content["segmenters"].values():
            for key in ("title", "protocols", "objects", "cost"):
                segmenter[key]
        if not content["segmenters"]:
            raise ValueError("no segmenter")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is not a run of picosam2 eval --out: {error!r}") from None
    return dict(content)

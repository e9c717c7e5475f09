"""Inputs that once failed, read again: refused in one line or read, in time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from conftest import ROOT
from readers import READERS, REFUSALS

SECONDS = 10
CORPUS = sorted((ROOT / "fuzz" / "corpus").glob("*/*"))


def test_there_are_such_inputs():
    assert CORPUS
    assert {path.parent.name for path in CORPUS} <= READERS.keys()


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_an_input_that_once_failed_does_no_harm(tmp_path: Path, path: Path):
    reader, folder = READERS[path.parent.name], tmp_path / "input"
    folder.mkdir()
    if reader.prepare:
        reader.prepare(folder)
    (folder / reader.file).write_bytes(path.read_bytes())
    start = time.perf_counter()
    try:
        reader.read(folder)
    except REFUSALS as error:
        assert "\n" not in str(error)  # noqa: PT017 (a refusal is allowed, not required)
    assert time.perf_counter() - start < SECONDS

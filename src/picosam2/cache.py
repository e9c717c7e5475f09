"""Where downloads and tool environments are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """A folder of the cache: in ``$PICOSAM2_CACHE``, else in ``~/.cache/picosam2``."""
    root = os.environ.get("PICOSAM2_CACHE") or Path.home() / ".cache" / "picosam2"
    return Path(root) / name

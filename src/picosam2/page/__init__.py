"""The browser page: what serves it, and the folder of photographs that it may work on."""

from __future__ import annotations

from pathlib import Path

# Where `make web` puts the page; a clone has none before.
BUILT = Path(__file__).parent.parent / "web"

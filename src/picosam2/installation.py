"""How the package was installed, and so how more of it is."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def how_to_install(extra: str) -> str:
    """The command that adds an extra to the environment that runs this, from a clone or a wheel.

    The package need not be on an index: pip takes the clone, or the wheel that is installed.

    Args:
        extra: one name, or several with commas.
    """
    clone = Path(__file__).resolve().parents[2]
    is_clone = (clone / "pyproject.toml").is_file()
    wanted = f"-e '{clone}[{extra}]'" if is_clone else f"'picosam2[{extra}]'"
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"

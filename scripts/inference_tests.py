"""The wheel and the tests of inference, by another Python or with the lowest versions it asks for.

    python scripts/inference_tests.py --python python3.13
    python scripts/inference_tests.py --lowest

What is tested is the wheel with the extras ``formats`` and ``video``, in an environment of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("formats", "video")
TESTS = (
    "automatic", "camera", "cli", "corrections", "exif", "files", "images", "importers",
    "interface", "predictor", "prompt", "segment", "video",
)  # fmt: skip
TOOLS = ("pytest>=8.3", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "hypothesis>=6.100")
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")


def lowest_versions() -> list[str]:
    """What the package asks for at least, as exact versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    return [line.replace(">=", "==") for line in wanted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--lowest", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", temporary]
        subprocess.run([*build, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        subprocess.run([arguments.python, "-m", "venv", str(folder / "env")], check=True)
        python = str(folder / "env" / "bin" / "python")
        exact = lowest_versions() if arguments.lowest else []
        given = f"{wheel}[{','.join(EXTRAS)}]"
        subprocess.run([python, *PIP, given, *TOOLS, *exact], check=True)
        # The folder of the clone comes last in the path: the wheel is what is imported.
        done = subprocess.run(
            [python, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
            + [f"tests/test_{name}.py" for name in TESTS],
            cwd=ROOT,
            check=False,
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()

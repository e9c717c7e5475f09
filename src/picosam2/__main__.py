"""``python -m picosam2``."""

from picosam2.cli import main

main(prog_name="picosam2")

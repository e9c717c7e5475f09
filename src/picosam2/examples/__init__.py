"""Four CC0 / public-domain photographs with outlines: a folder in COCO format."""

from pathlib import Path

EXAMPLES = Path(__file__).parent

"""Everything at once: masks of all objects of a photograph, without a prompt."""

from picosam2.automatic.generator import AutomaticMaskGenerator

__all__ = ["AutomaticMaskGenerator"]

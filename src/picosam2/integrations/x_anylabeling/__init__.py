"""A model for X-AnyLabeling, of its kind ``segment_anything_2``."""

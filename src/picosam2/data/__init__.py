"""Photographs and their objects, from wherever they come, as one kind of record."""

"""Measuring masks: protocols, metrics and the report of a run."""

"""Trained weights as models for each engine: one file a target."""

"""Seedance orders through any provider: the core, without ComfyUI and without torch."""

__version__ = "0.2.0"

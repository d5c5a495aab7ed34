"""Seedance orders through any provider: the core, without ComfyUI and without torch."""

__version__ = "0.1.0"

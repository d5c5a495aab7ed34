"""Where things are in a working copy."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HELPERS = ROOT / "tests" / "helpers"
MEDIA = ROOT.parent / "shared" / "media"  # real clips and pictures; tests that need them skip

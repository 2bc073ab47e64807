"""Draws the README's picture: `python docs/picture.py`. A palette of 64 colours keeps it small."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

import oo_sim
from oo_sim.figures import png

PICTURE = Path(__file__).parent / "quickstart.png"
POLICIES = ["linucb", "thompson", "egreedy", "random", "oracle"]

if __name__ == "__main__":
    run = oo_sim.run("quickstart", policies=POLICIES)
    drawn = Image.open(io.BytesIO(png(run.figure(), dpi=120)))
    drawn.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(PICTURE, optimize=True)

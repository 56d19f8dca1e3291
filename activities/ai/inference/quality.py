"""Whether a picture is worth looking at: measured, not judged by a model."""

from typing import NamedTuple

import cv2
import numpy as np

from activities.ai.pages import Pixels

WIDTH = 640  # all measures are taken at this width, or they would depend on the camera
GRAIN, LIGHT = 1.0, 20.0  # pixels, sigma: noise is finer than writing, shadows are wider
STRONGEST = 99.9  # percentile of pixels: three words on a page are enough
# An exam page and three letters on one, photographed in uneven light at 1,280 pixels, noise of 0 to 8 levels:
# sharp 0.35 to 0.41, blurred with a sigma of 3 pixels 0.27 to 0.30, of 4 0.23 to 0.27, at 15 to 100 % of
# contrast, which then is 7 to 94 levels; on empty pages it is 2 to 4.
BLURRED = 0.25
BLANK = 5.0


class Quality(NamedTuple):
    """`contrast`: grey levels between the strongest marks and their surroundings; `sharpness`: the steepest
    edge in units of that, per pixel; `brightness`: mean grey level, 0 to 255."""

    sharpness: float
    contrast: float
    brightness: float

    @property
    def blank(self) -> bool:
        return self.contrast < BLANK

    @property
    def blurred(self) -> bool:
        return not self.blank and self.sharpness < BLURRED


def measure(grey: Pixels) -> Quality:
    """Of a picture of height × width grey levels."""
    height, width = grey.shape
    size = (WIDTH, max(1, round(height * WIDTH / width)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    smooth = cv2.GaussianBlur(small, (0, 0), GRAIN)
    marks = np.abs(smooth - cv2.GaussianBlur(small, (0, 0), LIGHT))
    slopes = np.hypot(*(cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=1 / 8) for dx in (0, 1)))
    contrast, slope = float(np.percentile(marks, STRONGEST)), float(np.percentile(slopes, STRONGEST))
    return Quality(round(slope / max(contrast, 1.0), 3), round(contrast, 1), round(float(small.mean()), 1))


def as_dict(quality: Quality) -> dict[str, float | bool]:
    return {**quality._asdict(), "blank": quality.blank, "blurred": quality.blurred}

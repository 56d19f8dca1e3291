"""The fonts of a folder, with the letters that each of them has."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import ImageFont

from activities.ai.tasks.ocr.letters import LETTERS

# Judged by, so never trained on.
HELD_BACK = ("NanumSquareRoundR", "UnShinmun", "NanumBarunGothic", "NotoSerifCJK", "UnGungseo")
LATIN = ("Liberation", "DejaVu", "Tinos", "Arimo")
HANDS = ("Pen", "Brush", "Pilgi", "Jung", "Yetgul", "Taza", "Vada", "Bom")
COMMON = ("Myeongjo", "atang", "otum", "Serif", "Gothic", "ulim", "Sans")
OPENED = 400  # sizes of fonts kept


@dataclass(frozen=True)
class Face:
    path: Path
    index: int
    letters: frozenset[str]
    weight: float


@dataclass
class Fonts:
    faces: list[Face]
    _opened: dict[tuple[Path, int], ImageFont.FreeTypeFont] = field(default_factory=dict)

    def at(self, face: Face, size: int) -> ImageFont.FreeTypeFont:
        key = face.path, size
        if key not in self._opened:
            if len(self._opened) > OPENED:
                self._opened.clear()
            self._opened[key] = ImageFont.truetype(face.path, size, index=face.index)
        return self._opened[key]

    def choose(self, chance: random.Random, text: str) -> tuple[Face, str]:
        """One that has all letters of the text, or one and what is left of the text in it."""
        weights = [face.weight for face in self.faces]
        face = self.faces[0]
        for _ in range(6):
            face = chance.choices(self.faces, weights)[0]
            if set(text) - {" "} <= face.letters:
                return face, text
        left = "".join(letter for letter in text if letter == " " or letter in face.letters)
        return face, " ".join(left.split()) or "가"


def of_folder(folder: Path, held_back: bool) -> Fonts:
    faces = []
    for path in sorted(folder.iterdir()):
        latin = path.name.startswith(LATIN)
        is_held = path.name.startswith(HELD_BACK)
        if (
            path.suffix.lower() not in (".ttf", ".ttc", ".otf")
            or is_held != held_back
            or (held_back and latin)
        ):
            continue
        index = 1 if path.suffix == ".ttc" else 0
        letters = map(chr, TTFont(path, lazy=True, fontNumber=index).getBestCmap())
        faces.append(Face(path, index, frozenset(letters) & frozenset(LETTERS), _weight(path.name, latin)))
    return Fonts(faces)


def _weight(name: str, latin: bool) -> float:
    if latin:
        return 0.35
    if any(each in name for each in HANDS):
        return 0.7
    return 1.6 if any(each in name for each in COMMON) else 1.0

"""Pages with known text at 300 dpi: a column, the same skewed and noisy, an exam in two columns, a table."""

import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from activities.ai.pages import Pixels

FONT = Path(__file__).parents[1] / "activities" / "video" / "gothic.ttf"
WIDTH, HEIGHT = 2480, 3508  # A4 at 300 dpi
SIZE = 44  # 10.5 points
KINDS = ("column", "skewed", "exam", "table")
CIRCLED = "①②③④⑤"

SENTENCES = (
    "가을이 되자 은행나무는 노란 잎을 한 장씩 마당에 내려놓았다.",
    "학생들은 실험 결과를 표로 정리하고 그 까닭을 토론하였다.",
    "강물은 산을 돌아 들판으로 흐르고 마침내 바다에 이른다.",
    "도서관 3층에는 1998년부터 모은 신문 2,450부가 있다.",
    "빛은 공기에서 물로 들어갈 때 진행 방향이 꺾인다.",
    "할머니께서는 새벽마다 우물가에서 맑은 물을 길어 오셨다.",
    "다음 글을 읽고 글쓴이의 주장으로 알맞은 것을 고르시오.",
    "삼각형의 세 내각의 크기의 합은 언제나 180도이다.",
    "우리는 시장에서 사과와 배를 사서 이웃과 나누어 먹었다.",
    "조선 시대의 과학자들은 비의 양을 재는 기구를 만들었다.",
    "물의 온도가 높을수록 설탕은 더 빨리 녹는다.",
    "The library opens at nine and closes at six.",
    "밤새 내린 눈이 마을의 지붕과 길을 하얗게 덮었다.",
    "자동차가 2시간 동안 150 km를 달렸다면 평균 속력은 얼마인가?",
    "민주 사회에서 시민은 법을 지키고 정치에 참여한다.",
)


@dataclass(frozen=True)
class Drawn:
    """A page and its lines as they are read; `questions` are the upper left corners of the numbers."""

    kind: str
    pixels: Pixels
    lines: tuple[str, ...]
    questions: tuple[tuple[int, int], ...] = ()


def draw(kind: str, seed: int = 1, scanned: bool = False) -> Drawn:
    """`scanned`: with a scanner's blur and noise."""
    chance = random.Random(f"{kind} {seed}")
    sheet = Image.new("L", (WIDTH, HEIGHT), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, SIZE)
    if kind == "table":
        lines = _table(pen, font, chance)
        return Drawn(kind, _scanned(sheet, seed) if scanned else np.array(sheet), lines)
    if kind == "exam":
        lines, questions = _exam(pen, font, chance)
        return Drawn(kind, _scanned(sheet, seed) if scanned else np.array(sheet), lines, questions)
    lines = _column(pen, font, chance)
    if kind == "skewed":
        return Drawn(kind, _scanned(sheet, seed, 1.5), lines)
    return Drawn(kind, _scanned(sheet, seed) if scanned else np.array(sheet), lines)


def _column(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, chance: random.Random) -> tuple[str, ...]:
    lines = []
    for y in range(260, HEIGHT - 260, 86):
        line = chance.choice(SENTENCES)
        pen.text((240, y), line, fill=0, font=font)
        lines.append(line)
    return tuple(lines)


def _exam(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, chance: random.Random
) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    lines, questions = ["2학기 기말고사 국어 영역"], []
    pen.text((900, 150), lines[0], fill=0, font=font)
    pen.line((WIDTH // 2, 320, WIDTH // 2, HEIGHT - 200), fill=0, width=3)
    number = 1
    for left in (160, WIDTH // 2 + 80):
        y = 340
        while y < HEIGHT - 900:
            questions.append((left, y))
            for line in [f"{number}. 다음 중 맞는 것을 고르시오.", *_wrapped(pen, font, chance, 960)]:
                pen.text((left, y), line, fill=0, font=font)
                lines.append(line)
                y += 72
            for circle in CIRCLED:
                line = f"{circle} {chance.choice(SENTENCES)[:18].strip()}"
                pen.text((left + 40, y), line, fill=0, font=font)
                lines.append(line)
                y += 72
            y += 110
            number += 1
    return tuple(lines), tuple(questions)


def _wrapped(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, chance: random.Random, width: int
) -> list[str]:
    lines = [""]
    for word in " ".join(chance.sample(SENTENCES, 2)).split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font=font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _table(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, chance: random.Random) -> tuple[str, ...]:
    subjects = ("국어", "영어", "수학", "과학", "사회", "역사")
    lines = []
    for row, y in enumerate(range(300, 2900, 110)):
        cells = ["과목", "이름", "점수", "비고"]
        if row:
            name = chance.choice(("김민수", "이서연", "박지훈", "최유진"))
            cells = [chance.choice(subjects), name, str(chance.randint(40, 100)), "제출"]
        for column, cell in enumerate(cells):
            left = 240 + 500 * column
            pen.rectangle((left, y, left + 500, y + 110), outline=0, width=3)
            pen.text((left + 40, y + 30), cell, fill=0, font=font)
        lines.append(" ".join(cells))
    return tuple(lines)


def _scanned(sheet: Image.Image, seed: int, degrees: float = 0.0) -> Pixels:
    """Turned, blurred, greyish, with noise and specks."""
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.0)
    turned = cv2.warpAffine(np.array(sheet), turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderValue=255)
    blurred = cv2.GaussianBlur(turned, (0, 0), 1.2).astype(np.float32)
    noise = np.random.default_rng(seed)
    noisy = 20 + 0.86 * blurred + noise.normal(0, 10, blurred.shape)
    noisy[noise.random(blurred.shape) < 0.0005] = 40
    return noisy.clip(0, 255).astype(np.uint8)

"""Lines of text as Korean teaching material has them: questions, choices, formulas, English, and things that
no word list has."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from activities.ai.tasks.ocr.letters import (
    ASCII,
    CIRCLED,
    GREEK,
    HANJA,
    JAMO,
    LETTERS,
    MARKS,
    RAISED,
    RARE,
    ROMAN,
    SYLLABLES,
)

KNOWN = frozenset(LETTERS)
PARTICLES = (
    "은 는 이 가 을 를 에 에서 에게 으로 로 와 과 의 도 만 까지 부터 보다 처럼 이다 입니다 이며 이고"
    " 이라고 에는 에서는 으로써 마다 조차 밖에 이나 든지 라는 이란"
).split()
ENDINGS = (
    "다 습니다 는 은 을 고 며 면 서 지만 는데 도록 려고 었다 았다 겠다 시오 세요 는가 을까 인가 이다."
    " 하였다. 한다. 된다. 것이다. 구하시오. 고르시오. 쓰시오. 것은? 것은"
).split()
UNITS = "km cm mm m kg g mg L mL ℃ % 원 명 개 점 쪽 시간 분 초 km/h m/s cm² m³ °".split()
HEADS = "ㄱ. ㄴ. ㄷ. ㄹ. (가) (나) (다) 가. 나. 다. ※ · ○ ● ■ □ - • [보기] <보기> Q. A.".split()
PAIRS = ("()", "[]", "“”", "‘’", "''", '""', "「」", "『』", "<>", "〈〉", "《》", "【】", "{}")
SIGNS = ("+", "-", "×", "÷", "=", "<", ">", "≤", "≥", "≠", "±", "−", "/", "∥", "⊥")
ADDRESS = "abcdefghijklmnopqrstuvwxyz0123456789._-@"


@dataclass(frozen=True)
class Texts:
    """`korean` and `english`, the most frequent words first."""

    korean: Sequence[str]
    english: Sequence[str]

    def line(self, chance: random.Random, length: int) -> str:
        """About so many letters, all of them known."""
        kind = chance.random()
        if kind < 0.10:
            text = self._english(chance, max(1, length // 5))
        elif kind < 0.14:
            text = _formula(chance)
        elif kind < 0.18:
            text = " ".join(_number(chance) for _ in range(max(1, length // 6)))
        elif kind < 0.22:
            text = " ".join(_syllables(chance) for _ in range(max(1, length // 4)))
        else:
            text = self._mixed(chance, length)
        known = "".join(letter for letter in text if letter in KNOWN)
        return " ".join(known.split())[: length + 6].strip() or "가"

    def _mixed(self, chance: random.Random, length: int) -> str:
        parts = []
        start = chance.random()
        if start < 0.10:
            parts.append(f"{chance.randint(1, 50)}" + chance.choice([".", ")", ".", "번"]))
        elif start < 0.20:
            parts.append(chance.choice(CIRCLED))
        elif start < 0.23:
            parts.append(chance.choice(HEADS))
        while sum(len(part) + 1 for part in parts) < length:
            part = self._piece(chance)
            if chance.random() < 0.07:
                part += ","
            elif chance.random() < 0.05:
                part += chance.choice(".?!:;…·")
            parts.append(part)
        text = (" " if chance.random() < 0.97 else "").join(parts)
        return text + chance.choice([".", ".", "?", "!", ":", "”", ")"]) if chance.random() < 0.35 else text

    def _piece(self, chance: random.Random) -> str:
        kind = chance.random()
        if kind < 0.60:
            return self._word(chance)
        if kind < 0.72:
            return _number(chance)
        if kind < 0.78:
            return self._english(chance, 1)
        if kind < 0.84:
            return _syllables(chance)
        if kind < 0.90:
            return _odd(chance)
        if kind < 0.94:
            return _formula(chance)
        first, last = chance.choice(PAIRS)
        return first + self._word(chance) + last

    def _word(self, chance: random.Random) -> str:
        # Frequent words more often, but the rare ones well.
        word = self.korean[int(len(self.korean) * chance.random() ** 2.2)]
        if chance.random() < 0.45:
            return word + chance.choice(PARTICLES)
        return word + chance.choice(ENDINGS) if chance.random() < 0.1 else word

    def _english(self, chance: random.Random, count: int) -> str:
        words = [self.english[int(len(self.english) * chance.random() ** 2)] for _ in range(count)]
        case = chance.random()
        if case < 0.3:
            words[0] = words[0].capitalize()
        elif case < 0.4:
            words = [word.upper() for word in words]
        elif case < 0.5:
            words = [word.capitalize() for word in words]
        end = chance.choice([".", ",", "?", "!", ":", ";", "'s"]) if chance.random() < 0.4 else ""
        return " ".join(words) + end


def _number(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.35:
        text = str(chance.randint(0, 9999))
    elif kind < 0.5:
        text = f"{chance.randint(0, 99_999_999):,}"
    elif kind < 0.65:
        text = f"{chance.random() * chance.choice([1, 10, 100, 1000]):.{chance.randint(1, 3)}f}"
    elif kind < 0.75:
        text = f"{chance.randint(1990, 2030)}.{chance.randint(1, 12)}.{chance.randint(1, 31)}."
    elif kind < 0.85:
        text = f"010-{chance.randint(0, 9999):04}-{chance.randint(0, 9999):04}"
    elif kind < 0.92:
        text = f"{chance.randint(0, 23)}:{chance.randint(0, 59):02}"
    else:
        text = f"{chance.randint(1, 20)}~{chance.randint(20, 99)}"
    return text + chance.choice(UNITS) if chance.random() < 0.3 else text


def _formula(chance: random.Random) -> str:
    between = chance.choice(["", " "])
    text = _term(chance)
    for _ in range(chance.randint(1, 4)):
        more = (
            _term(chance),
            str(chance.randint(0, 999)),
            f"({_term(chance)}{chance.choice(SIGNS)}{_term(chance)})",
            f"√{chance.randint(2, 99)}",
            f"f({chance.choice('xyzabc')})",
            "∠" + chance.choice("ABC") + chance.choice("ABC"),
            "△ABC",
            chance.choice("αβθπ"),
        )
        text += between + chance.choice(SIGNS) + between + chance.choice(more)
    return text


def _term(chance: random.Random) -> str:
    factor = chance.choice(["", str(chance.randint(1, 99)), "-"])
    raised = chance.choice("²³ⁿ⁴₁₂₀") if chance.random() < 0.4 else ""
    return factor + chance.choice("xyzabcnmkftABCPQR") + raised


def _syllables(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.randint(1, 6)))


def _odd(chance: random.Random) -> str:
    """Letters that words do not teach."""
    kind = chance.random()
    for below, letters, most in (
        (0.3, "".join(LETTERS[2:]), 5),
        (0.5, ASCII, 10),
        (0.65, MARKS, 2),
        (0.75, RARE, 3),
        (0.8, HANJA, 4),
        (0.85, GREEK + ROMAN + RAISED, 3),
    ):
        if kind < below:
            return "".join(chance.choices(letters, k=chance.randint(1, most)))
    if kind < 0.95:
        return chance.choice(JAMO) + chance.choice([".", "", ","])
    return "".join(chance.choices(ADDRESS, k=chance.randint(5, 18)))

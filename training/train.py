"""Train the line reader on lines that are drawn meanwhile, for a number of seconds."""

import argparse
import json
import math
import multiprocessing as mp
import os
import queue
import random
import threading
import time
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from rapidfuzz.distance import Levenshtein

from activities.ai.tasks.ocr.letters import LETTERS
from activities.ai.tasks.ocr.reader import ROWS, STEP
from training import fonts
from training.drawing import Sample, sample
from training.network import Reader, loaded
from training.texts import Texts

WIDTHS = {160: (0.15, 2.2), 320: (0.3, 1.5), 640: (0.4, 1.0), 960: (0.15, 0.66)}  # share, batch
LONGEST = 96  # letters of a line
PLACES = {letter: place for place, letter in enumerate(LETTERS)}
REUSED = 16.0  # times that a line is learnt from, at most, while drawing is slower
EXAM = 512


@dataclass
class Pool:
    """A ring of lines of one width, written by those who draw and read by the one who learns."""

    columns: int
    size: int
    pixels: Any
    letters: Any
    lengths: Any
    full: "Synchronized[int]"
    made: "Synchronized[int]"

    @classmethod
    def of(cls, columns: int, size: int) -> "Pool":
        raw = mp.RawArray
        shared = raw("B", size * ROWS * columns), raw("h", size * LONGEST), raw("h", size * 2)
        return cls(columns, size, *shared, mp.Value("l", 0), mp.Value("l", 0))

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        return (
            np.frombuffer(self.pixels, np.uint8).reshape(self.size, ROWS, self.columns),
            np.frombuffer(self.letters, np.int16).reshape(self.size, LONGEST),
            np.frombuffer(self.lengths, np.int16).reshape(self.size, 2),
        )

    def place(self, chance: random.Random) -> int:
        with self.full.get_lock():
            if self.full.value < self.size:
                self.full.value += 1
                return int(self.full.value) - 1
        return chance.randrange(self.size)


def draw(args: argparse.Namespace, pools: list[Pool], seed: int) -> None:
    """In a process of its own, without end."""
    cv2.setNumThreads(1)
    chance, faces, texts = random.Random(seed), fonts.of_folder(args.fonts, held_back=False), _texts(args)
    shares = [share for share, _ in WIDTHS.values()]
    arrays = [pool.arrays() for pool in pools]
    while True:
        which = chance.choices(range(len(pools)), shares)[0]
        columns = pools[which].columns
        made = sample(
            chance, faces, texts.line(chance, max(1, int(chance.uniform(0.25, 1.15) * columns / 30))), columns
        )
        if made is None or not _can_be_learnt(made):
            continue
        pixels, letters, lengths = arrays[which]
        place = pools[which].place(chance)
        pixels[place], letters[place] = made.strip, 0
        letters[place, : len(made.text)] = [PLACES[letter] for letter in made.text]
        lengths[place] = len(made.text), made.used
        pools[which].made.value += 1


def _can_be_learnt(made: Sample) -> bool:
    """CTC wants more steps than letters."""
    return len(made.text) <= LONGEST and len(made.text) * 2 < made.used / STEP * 1.6


def _texts(args: argparse.Namespace) -> Texts:
    words = json.loads(args.words.read_text())
    return Texts(words["ko"], words["en"])


def feed(pools: list[Pool], batches: "queue.Queue[Any]", batch: int, seed: int) -> None:
    """In a thread: batches of one width each."""
    dice, used = np.random.default_rng(seed), 0
    arrays = [[torch.from_numpy(each) for each in pool.arrays()] for pool in pools]
    shares, sizes = zip(*WIDTHS.values(), strict=True)
    while True:
        which = int(dice.choice(len(pools), p=shares))
        there = min(pools[which].size, int(pools[which].full.value))
        if there < 256 or used > REUSED * sum(int(pool.made.value) for pool in pools) + 5000:
            time.sleep(0.02)
            continue
        chosen = torch.from_numpy(dice.integers(0, there, int(batch * sizes[which])))
        pixels, letters, lengths = (each[chosen] for each in arrays[which])
        written = lengths[:, 0] > 0
        batches.put((pixels[written], letters[written].int(), lengths[written].long()))
        used += len(chosen)


def normal(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float().div(255).sub(0.5).mul(2)[:, None]


def spoilt(x: torch.Tensor) -> torch.Tensor:
    """Contrast, brightness and noise, which cost nothing here."""
    one = torch.empty(x.shape[0], 1, 1, 1, device=x.device)
    x = x * one.uniform_(0.75, 1.15) + torch.empty_like(one).uniform_(-0.2, 0.2)
    return (x + torch.randn_like(x) * (torch.rand_like(one) * 0.08)).clamp(-1, 1)


def wrong(reader: Reader, exam: list[Sample], device: str) -> float:
    """Wrong letters by letters, in fonts that are held back."""
    reader.eval()
    missed = total = 0
    with torch.no_grad():
        for first in range(0, len(exam), 128):
            part = exam[first : first + 128]
            answers = reader(normal(torch.from_numpy(np.stack([each.strip for each in part])).to(device)))
            for each, row in zip(part, answers.argmax(1).cpu().numpy(), strict=True):
                steps = row[: -(-each.used // STEP)]
                said = steps[(steps != np.concatenate(([0], steps[:-1]))) & (steps != 0)]
                missed += Levenshtein.distance(each.text, "".join(LETTERS[one] for one in said))
                total += len(each.text)
    reader.train()
    return missed / total


def main(args: argparse.Namespace) -> None:
    began = time.monotonic()
    pools = [Pool.of(columns, max(256, int(args.pool * share))) for columns, (share, _) in WIDTHS.items()]
    workers = [mp.Process(target=draw, args=(args, pools, seed), daemon=True) for seed in range(args.workers)]
    for worker in workers:
        worker.start()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    reader = (loaded(args.start) if args.start else Reader()).to(device)
    mean = torch.optim.swa_utils.AveragedModel(
        reader, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.996), use_buffers=True
    )
    optimizer = torch.optim.AdamW(reader.parameters(), lr=args.lr, weight_decay=0.02, betas=(0.9, 0.98))
    loss_of = torch.nn.CTCLoss(blank=0, zero_infinity=True)
    chance, texts, held = random.Random(7), _texts(args), fonts.of_folder(args.fonts, held_back=True)
    exam: list[Sample] = []
    while len(exam) < EXAM:
        made = sample(chance, held, texts.line(chance, chance.randint(3, 24)), 640)
        if made and len(made.text) <= LONGEST:
            exam.append(made)
    batches: queue.Queue[Any] = queue.Queue(12)
    for seed in range(3):
        threading.Thread(target=feed, args=(pools, batches, args.batch, seed), daemon=True).start()
    step, learning, shown = 0, time.monotonic(), time.monotonic()
    while (now := time.monotonic()) < began + args.seconds:
        pixels, letters, lengths = batches.get()
        part = min(1.0, (now - learning) / max(1, began + args.seconds - learning))
        rate = (
            args.lr * min(1.0, (now - learning) / args.warm) * (0.495 * (1 + math.cos(math.pi * part)) + 0.01)
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        x = spoilt(normal(pixels.to(device, non_blocking=True)))
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            y = reader(x)
        y = y.float().log_softmax(1).permute(2, 0, 1)
        steps = ((lengths[:, 1] + STEP - 1) // STEP + 2).clamp(max=y.shape[0])
        loss = loss_of(y, letters.to(device), steps.to(device), lengths[:, 0].to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 5.0)
        optimizer.step()
        step += 1
        if step % 8 == 0:
            mean.update_parameters(reader)
        if now > shown + 45:
            shown = now
            print(
                f"{now - began:.0f} s, step {step}, wrong {wrong(mean.module, exam, device):.4f}", flush=True
            )
    print(f"step {step}, wrong {wrong(mean.module, exam, device):.4f}")
    args.out.mkdir(parents=True, exist_ok=True)
    state = mean.module.state_dict()
    half = {k: (v.half() if v.is_floating_point() else v).cpu() for k, v in state.items()}
    torch.save(half, args.out / "line.pt")
    for worker in workers:
        worker.kill()


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    parser = argparse.ArgumentParser()
    for name in ("fonts", "words", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name, default in (("workers", 14), ("pool", 500_000), ("batch", 512)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, rate in (("seconds", 345.0), ("lr", 1.8e-3), ("warm", 6.0)):
        parser.add_argument(f"--{name}", type=float, default=rate)
    parser.add_argument("--start", default="")
    main(parser.parse_args())

"""Words by frequency, most frequent first, as JSON: `python -m training.words words.json`."""

import json
import sys
from pathlib import Path

from wordfreq import top_n_list

from activities.ai.tasks.ocr.letters import LETTERS

KOREAN, ENGLISH = 30_000, 20_000


def main(path: Path) -> None:
    known = set(LETTERS)
    korean = [word for word in top_n_list("ko", KOREAN) if any("가" <= letter <= "힣" for letter in word)]
    words = {"ko": korean, "en": top_n_list("en", ENGLISH)}
    kept = {name: [word for word in each if set(word) <= known] for name, each in words.items()}
    path.write_text(json.dumps(kept, ensure_ascii=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

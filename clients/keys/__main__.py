"""`python -m clients.keys` of release 0.5: for one more release it is `academy data-key`."""

import os
import sys


def main() -> None:
    sys.stderr.write("python -m clients.keys goes with the release after this: it is academy data-key now\n")
    command = [sys.executable, "-m", "academy", "data-key", *sys.argv[1:]]
    os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()

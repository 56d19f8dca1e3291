"""`python -m academy`, and the script `academy` of an installed package."""

import os
import sys

from academy.command import app


def main() -> None:
    """A thread of Temporal's SDK may still be there when the interpreter ends, and end it by a signal: so the
    process goes as soon as all is said."""
    code: object = 0
    try:
        app(prog_name="academy")
    except SystemExit as error:
        code = error.code
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()

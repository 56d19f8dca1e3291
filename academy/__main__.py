"""`python -m academy`, and the script `academy` of an installed package."""

from academy.command import app

if __name__ == "__main__":
    app(prog_name="academy")

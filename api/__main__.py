"""`python -m api [--host ADDRESS] [--port PORT]`: the API, with the limits of its settings."""

import argparse

import uvicorn

from api.serving import config
from clients.settings import load
from clients.settings_sources import Process


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    uvicorn.Server(config(load(Process.API), host=given.host, port=given.port)).run()


if __name__ == "__main__":
    main()

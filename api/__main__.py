"""`python -m api [--host ADDRESS] [--port PORT]`: the API, with the limits of its settings."""

import argparse
import gc
import socket

import uvicorn

from api.serving import config
from clients import metrics, tracing
from clients.settings import load
from clients.settings_sources import Process


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """What is there by now stays: whoever collects garbage later need not look at it. All our modules and
        the models of AWS's services are more than 100 ms of looking, in which nobody is answered."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    settings = load(Process.API)
    metrics.show_process("api", settings)
    tracing.begin("api", settings.otel_exporter_otlp_endpoint)
    Server(config(settings, host=given.host, port=given.port)).run()


if __name__ == "__main__":
    main()

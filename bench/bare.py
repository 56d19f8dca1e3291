"""The peer of `bench/polls.py`: one route that reads the key in Redis and sends what is there."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clients.progress import connect
from clients.settings import load

redis = connect(load())
KEY = os.environ["POLLED_KEY"]


async def progress(_request: Request) -> Response:
    return Response(await redis.get(KEY), media_type="application/json")


app = Starlette(routes=[Route("/progress", progress)])

"""A proxy before an HTTP server that loses requests, answers and patience."""

import asyncio
import random
from contextlib import suppress
from enum import Enum
from typing import Self

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Loss(Enum):
    """What becomes of a request."""

    REFUSED = "the connection ends before the server hears of it"
    BUSY = "503, and the server hears nothing"
    ANSWER_LOST = "the server does it, and the connection ends instead of the answer"


class Network:
    """`async with Network(host, port, dice) as network`: connect to `network.url`; `losing` is the share of
    requests that are lost. `fired` counts them."""

    def __init__(self, host: str, port: int, dice: random.Random) -> None:
        self._target, self._dice = (host, port), dice
        self._connections: set[asyncio.Task[None]] = set()
        self.losing, self.fired = 0.0, 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            asked = asyncio.Event()  # a request is on its way, so what comes up is more of it
            lost = asyncio.Event()  # its answer is not to arrive

            async def up() -> None:
                while data := await reader.read(65536):
                    if not asked.is_set() and self._dice.random() < self.losing:
                        self.fired += 1
                        match self._dice.choice(list(Loss)):
                            case Loss.REFUSED:
                                return
                            case Loss.BUSY:
                                writer.write(BUSY)
                                return await writer.drain()
                            case Loss.ANSWER_LOST:
                                lost.set()
                    asked.set()
                    there_writer.write(data)
                    await there_writer.drain()

            async def down() -> None:
                while data := await there_reader.read(65536):
                    if lost.is_set():
                        return
                    asked.clear()
                    writer.write(data)
                    await writer.drain()

            ways = {asyncio.ensure_future(up()), asyncio.ensure_future(down())}
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                there_writer.close()
        writer.close()

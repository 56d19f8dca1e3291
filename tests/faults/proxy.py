"""A TCP proxy that can cut a process off from a server: by refusing, by silence, or by losing its answers."""

import asyncio
import itertools
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Self


class Proxy:
    """`async with Proxy(host, port) as proxy`: connect to `proxy.port`; `silence()` forwards nothing more."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open = asyncio.Event()
        self._open.set()
        self._tls: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._losing: Iterator[bool] = itertools.repeat(False)
        self.lost = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def silence(self) -> None:
        """Connections stay open and carry nothing, as behind a dead network."""
        self._open.clear()

    def speak(self) -> None:
        """End a silence; what was held back is carried."""
        self._open.set()

    def lose(self, which: Iterator[bool]) -> None:
        """Of what the server sends from now on: the connection ends instead, and the work was done."""
        self._losing = which

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        for source, sink, answers in ((reader, there_writer, False), (there_reader, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65536):
                    await self._open.wait()
                    if answers and next(self._losing):
                        self.lost += 1
                        break
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()

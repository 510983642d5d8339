"""A proxy that speaks https with the client and http with the server, and says so.

    python -m tests.clients.proxy PORT PORT-OF-THE-SERVER CERTIFICATE KEY

Each connection carries one request.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import closing

ADDED = b"X-Forwarded-Proto: https\r\nConnection: close\r\n"


async def carry(source: StreamReader, target: StreamWriter) -> None:
    while data := await source.read(65_536):
        target.write(data)
        await target.drain()


async def serve(port: int, behind: int, tls: ssl.SSLContext) -> None:
    async def connected(client: StreamReader, answer: StreamWriter) -> None:
        with closing(answer):
            first = await client.readline()
            if not first:
                return  # browsers open connections that they may need
            server, request = await asyncio.open_connection("127.0.0.1", behind)
            with closing(request):
                request.write(first + ADDED)
                upward = asyncio.create_task(carry(client, request))
                await carry(server, answer)
                upward.cancel()

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
    await server.serve_forever()


if __name__ == "__main__":
    here, there, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asyncio.run(serve(int(here), int(there), context))

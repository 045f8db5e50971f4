"""A MongoDB server that refuses: it shakes hands, and answers some commands with an error of one's choice.

What a real server does to a wrong password, a user without rights or a full disk, over the real wire protocol.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import bson

_QUERY, _REPLY, _MESSAGE = 2004, 1, 2013
_HELLO = {
    "ismaster": True,
    "isWritablePrimary": True,
    "helloOk": True,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "maxBsonObjectSize": 16 << 20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "ok": 1.0,
}
_STORE = {"_id": "backproof", "version": 1}


def _cursor(collection: str, *documents: Mapping[str, Any]) -> dict[str, Any]:
    return {"cursor": {"id": bson.Int64(0), "ns": f"x.{collection}", "firstBatch": list(documents)}, "ok": 1.0}


ANSWERS: dict[str, dict[str, Any]] = {
    "hello": _HELLO,
    "ismaster": _HELLO,
    "ping": {"ok": 1.0},
    "buildinfo": {"version": "7.0.0", "ok": 1.0},
    "listcollections": _cursor("$cmd.listCollections", {"name": "schema_version", "type": "collection"}),
    "find": _cursor("schema_version", _STORE),
    "listindexes": _cursor("$cmd.listIndexes", {"v": 2, "key": {"_id": 1}, "name": "_id_"}),
    "createindexes": {"ok": 1.0},
    "update": {"n": 0, "nModified": 0, "ok": 1.0},
    "endsessions": {"ok": 1.0},
}


def error(code: int, name: str, message: str) -> dict[str, Any]:
    return {"ok": 0.0, "code": code, "codeName": name, "errmsg": message}


@asynccontextmanager
async def refusing(answers: Mapping[str, dict[str, Any]]) -> AsyncIterator[str]:
    """host:port of a server with these answers, by the command's name in small letters."""
    known = {**ANSWERS, **answers}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length, request, _, code = struct.unpack("<iiii", await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                writer.write(_answer(known, request, code, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _answer(known: Mapping[str, dict[str, Any]], request: int, code: int, body: bytes) -> bytes:
    if code == _QUERY:
        command = bson.decode(body[body.index(b"\0", 4) + 9 :])
    else:
        size = struct.unpack_from("<i", body, 5)[0]
        command = bson.decode(body[5 : 5 + size])
    name = next(iter(command)).lower()
    answer = bson.encode(known.get(name, error(59, "CommandNotFound", f"no such command: {name}")))
    head = struct.pack("<iqii", 8, 0, 0, 1) if code == _QUERY else struct.pack("<ib", 0, 0)
    reply = head + answer
    return struct.pack("<iiii", 16 + len(reply), 0, request, _REPLY if code == _QUERY else _MESSAGE) + reply

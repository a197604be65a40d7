"""Uploads a file with aiotus, a client of tus by other authors; only the codes of the session are added.

Reads one JSON object from standard input: `endpoint` (address of the server), `path` (of the file), `file` (name),
`chunk` (bytes of a request), `session` (name, hex), `key` (hex), `number` (of the last request). Prints the
requests with their statuses, and the number of the last request, as JSON.
"""

import asyncio
import hashlib
import hmac
import json
import sys

import aiohttp
import aiotus
import yarl

REQUEST = ["upload-length", "upload-offset", "content-length", "range"]
ANSWER = ["upload-offset", "upload-length", "content-range", "x-og-generation"]
ATTEMPTS = 12


def lines(names, headers):
    return "".join(f"{name}:{headers[name]}\n" for name in names if name in headers).encode()


def code(key, direction, *parts):
    data = bytes([direction]) + b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.new(key, data, hashlib.sha256).digest()[:16]


class Codes:
    """Signs each request of aiohttp, and checks the code of each success."""

    def __init__(self, asked):
        self.key = bytes.fromhex(asked["key"])
        self.session = asked["session"]
        self.number = asked["number"]
        self.seen = []

    async def __call__(self, request, send):
        self.number += 1
        method, path = request.method.encode(), request.url.raw_path.encode()
        number = self.number.to_bytes(8, "big")
        mac = code(self.key, 1, b"request", number, method, path, lines(REQUEST, request.headers))
        request.headers["x-og-session"] = f"{self.session}.{self.number:x}"
        request.headers["x-og-mac"] = mac.hex()
        answer = await send(request)
        self.seen.append(f"{request.method} {answer.status}")
        if answer.status < 300:
            covered = f"status:{answer.status}\n".encode() + lines(ANSWER, answer.headers)
            theirs = bytes.fromhex(answer.headers.get("x-og-mac", ""))
            if not hmac.compare_digest(theirs, code(self.key, 2, b"answer", mac, covered)):
                raise RuntimeError("session.bad_mac")
        return answer


async def patiently(work):
    """Repeats a step as long as lines break."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await work()
        except aiohttp.ClientConnectionError:
            pass
    return await work()


async def upload(asked):
    codes = Codes(asked)
    url = yarl.URL(asked["endpoint"]).with_path(asked["path"])
    with open(asked["file"], "rb") as file:
        async with aiohttp.ClientSession(middlewares=(codes,)) as session:
            made = await patiently(lambda: aiotus.creation.create(session, url, file, {}))
            location = url.join(made)
            await patiently(
                lambda: aiotus.core.upload_buffer(session, location, file, chunksize=asked["chunk"])
            )
    return {"seen": codes.seen, "number": codes.number}


print(json.dumps(asyncio.run(upload(json.load(sys.stdin)))))

"""The server's sealed resources: what is asked with a delivery key and never with a token.

Every request has a connection of its own, made by a client that never sees a token.
"""

import base64

import httpx
import msgspec

from linnet.client.http import Http, read
from linnet.wire import rest
from linnet.wire.ids import show


class SealedApi:
    """One server, asked by nobody in particular. `close` when done."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url, self._transport = url, transport
        self._http: Http | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._http is not None:
            await self._http.close()

    async def device_list(self, key: bytes, account: bytes) -> rest.Signed:
        """The newest signed device list of an account."""
        path = f"/sealed/{show(account)}/devices"
        return read(await self._send("GET", path, None, key), rest.DeviceListAnswer).list

    async def take_bundle(self, key: bytes, account: bytes, device: int) -> rest.Bundle:
        """Take a device's bundle: its one-time keys are gone for everybody else."""
        path = f"/sealed/{show(account)}/keys/{device}"
        return read(await self._send("POST", path, None, key), rest.Bundle)

    async def send(self, key: bytes, account: bytes, message: bytes) -> int:
        """Send an encoded SealedSend, the same bytes each time; the server's time of it, in ms."""
        path = f"/sealed/{show(account)}/messages"
        answer = read(await self._send("POST", path, message, key), rest.SealedSent)
        return answer.server_timestamp

    async def _send(self, method: str, path: str, body: bytes | None, key: bytes) -> bytes:
        if self._http is None:  # most accounts never need it
            self._http = Http(self._url, self._transport, apart=True)
        shown = base64.b64encode(key).decode()
        return await self._http.send(method, path, body, {"Linnet-Delivery-Key": shown})


def encoded(message: rest.SealedSend) -> bytes:
    """The bytes that leave."""
    return msgspec.json.encode(message)

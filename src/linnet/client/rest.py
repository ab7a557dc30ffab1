"""HTTP: the server's resources as typed methods.

A refusal is `Refused` with the server's code; no answer, or nonsense, is `Offline`. Nothing is
retried here: whoever asks knows whether asking again is safe.
"""

import asyncio
from typing import Final, TypeVar

import httpx
import msgspec

from linnet.client.errors import BadAddress, Offline, Refused
from linnet.wire import rest
from linnet.wire.errors import ERRORS, is_code
from linnet.wire.ids import show

B = TypeVar("B")

TIMEOUT_S: Final = 15.0
"""Each step of a request: to connect, to write, to hear something."""
ANSWERED_WITHIN_S: Final = 60.0
"""All of it."""
ANSWER_BYTES: Final = 16 * 1024 * 1024


class Api:
    """One server. `close` when done. Raises BadAddress for what is no http or https URL."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadAddress("a server's address begins with http:// or https://")
        try:
            self._http = httpx.AsyncClient(
                base_url=url.rstrip("/") + "/v1", timeout=TIMEOUT_S, transport=transport
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise BadAddress("the server's address is no URL") from error

    async def close(self) -> None:
        """Close idle connections."""
        await self._http.aclose()

    async def start_registration(self, number: str) -> rest.RegistrationStarted:
        """Ask for a code to be sent to an E.164 number."""
        body = rest.RegistrationRequest(number=number)
        return await self._post("/registrations", body, rest.RegistrationStarted)

    async def prove_number(self, registration: bytes, code: str) -> rest.CodeAccepted:
        """Hand in the code."""
        path = f"/registrations/{show(registration)}/code"
        return await self._post(path, rest.CodeRequest(code=code), rest.CodeAccepted)

    async def finish_registration(self, registration: bytes, body: bytes) -> rest.Login:
        """Make the account from the encoded RegistrationFinish. The same bytes may come again."""
        path = f"/registrations/{show(registration)}/account"
        return _read(await self._send("POST", path, body), rest.Login)

    async def refresh(self, body: rest.Refresh) -> rest.Login:
        """Rotate the refresh token."""
        return await self._post("/tokens", body, rest.Login)

    async def upload_keys(self, token: str, body: rest.KeyUpload) -> None:
        """Publish pre-keys. The same upload twice is one."""
        await self._send("PUT", "/keys", msgspec.json.encode(body), token)

    async def key_count(self, token: str) -> rest.KeyCount:
        """One-time keys of this device that nobody took yet."""
        return _read(await self._send("GET", "/keys", None, token), rest.KeyCount)

    async def take_bundle(self, token: str, account: bytes, device: int) -> rest.Bundle:
        """Take a device's bundle: its one-time keys are gone for everybody else."""
        path = f"/keys/{show(account)}/{device}"
        return _read(await self._send("POST", path, None, token), rest.Bundle)

    async def device_list(self, token: str, account: bytes) -> rest.Signed:
        """The newest signed device list of an account."""
        path = f"/accounts/{show(account)}/devices"
        return _read(await self._send("GET", path, None, token), rest.DeviceListAnswer).list

    async def device_lists(self, token: str, accounts: list[bytes]) -> list[rest.Signed]:
        """The newest lists of up to a hundred accounts, in no order."""
        body = rest.DeviceListsRequest(accounts=accounts)
        return (await self._post("/accounts/devices", body, rest.DeviceLists, token)).lists

    async def upload_list(self, token: str, signed: rest.Signed) -> rest.ListAccepted:
        """Publish the next version of one's own list. The same bytes may come again."""
        body = msgspec.json.encode(signed)
        return _read(await self._send("PUT", "/devices/list", body, token), rest.ListAccepted)

    async def look_up(self, token: str, numbers: list[str]) -> list[rest.ContactMatch]:
        """Which of these E.164 numbers have an account."""
        body = rest.ContactLookup(numbers=numbers)
        return (await self._post("/contacts/lookup", body, rest.ContactMatches, token)).matches

    async def finish_recovery(self, registration: bytes, body: bytes) -> rest.Login:
        """Go on with the previous account: an encoded RecoveryFinish, the same bytes each time."""
        path = f"/registrations/{show(registration)}/recovery"
        return _read(await self._send("POST", path, body), rest.Login)

    # ---- linking

    async def open_link(self, offer: rest.LinkOffer) -> rest.LinkOpened:
        """Have an offer kept for the main device. The same offer may come again."""
        return await self._post("/links", offer, rest.LinkOpened)

    async def link_state(self, link: bytes, wait_s: int) -> rest.LinkState:
        """How far a link has come; waits for the next step."""
        path = f"/links/{show(link)}?wait={wait_s}"
        return _read(await self._send("GET", path, None), rest.LinkState)

    async def fill_link(self, link: bytes, body: bytes) -> None:
        """Bring the new device's keys: an encoded LinkKeys, the same bytes each time."""
        await self._send("PUT", f"/links/{show(link)}/keys", body)

    async def log_in_linked(self, link: bytes, ticket: bytes) -> rest.Login:
        """The linked device's first login; the same again until it is used."""
        return await self._post(
            f"/links/{show(link)}/login", rest.LinkLogin(ticket=ticket), rest.Login
        )

    async def link_offer(self, token: str, link: bytes) -> bytes:
        """The offer of a new device: check it against the code."""
        path = f"/links/{show(link)}/offer"
        return _read(await self._send("GET", path, None, token), rest.LinkOffered).offer

    async def answer_link(self, token: str, link: bytes, answer: rest.LinkAnswer) -> None:
        """The main device's half. The same answer may come again."""
        path = f"/links/{show(link)}/answer"
        await self._send("PUT", path, msgspec.json.encode(answer), token)

    async def link_ready(self, token: str, link: bytes, wait_s: int) -> rest.LinkReady:
        """The new device's half; waits for it."""
        path = f"/links/{show(link)}/keys?wait={wait_s}"
        return _read(await self._send("GET", path, None, token), rest.LinkReady)

    async def activate_link(
        self, token: str, link: bytes, signed: rest.Signed
    ) -> rest.ListAccepted:
        """Publish the list that names the new device. The same bytes may come again."""
        path, body = f"/links/{show(link)}/list", msgspec.json.encode(signed)
        return _read(await self._send("PUT", path, body, token), rest.ListAccepted)

    async def end_link(self, token: str, link: bytes) -> None:
        """Let a link lapse now."""
        await self._send("DELETE", f"/links/{show(link)}", None, token)

    # ---- groups

    async def create_group(self, token: str, genesis: rest.Signed) -> rest.GroupHead:
        """Begin a group. The same first entry may come again."""
        return await self._post("/groups", rest.GroupCreate(genesis=genesis), rest.GroupHead, token)

    async def append_entry(self, token: str, group: bytes, entry: rest.Signed) -> rest.GroupHead:
        """Append the next entry of a log. The same entry may come again."""
        path = f"/groups/{show(group)}/log"
        return await self._post(path, rest.GroupAppend(entry=entry), rest.GroupHead, token)

    async def own_groups(self, token: str) -> list[rest.GroupHead]:
        """Where the groups that this account is a member of stand."""
        return _read(await self._send("GET", "/groups", None, token), rest.OwnGroups).groups

    async def group_log(self, token: str, group: bytes, since: int) -> rest.GroupLog:
        """Entries after a version, and the lists that they cite."""
        path = f"/groups/{show(group)}/log?since={since}"
        return _read(await self._send("GET", path, None, token), rest.GroupLog)

    async def group_members(self, token: str, group: bytes) -> rest.Roster:
        """Whom messages that name the newest roster reach."""
        path = f"/groups/{show(group)}/members"
        return _read(await self._send("GET", path, None, token), rest.Roster)

    async def _post(self, path: str, body: rest.Body, answer: type[B], token: str = "") -> B:
        return _read(await self._send("POST", path, msgspec.json.encode(body), token), answer)

    async def _send(self, method: str, path: str, body: bytes | None, token: str = "") -> bytes:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                async with self._http.stream(method, path, content=body, headers=headers) as answer:
                    content = await _content(answer)
        except (httpx.HTTPError, TimeoutError) as error:
            raise Offline("the server cannot be reached") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise BadAddress("the server's address is no URL") from error
        if answer.is_success:
            return content
        raise _refusal(answer, content)


def signed(body: bytes, sig: bytes) -> rest.Signed:
    """A signed object as it travels in JSON."""
    return rest.Signed(body=body, sig=sig)


def _read(content: bytes, answer: type[B]) -> B:
    try:
        return msgspec.json.decode(content, type=answer)
    except msgspec.MsgspecError as error:
        raise Offline("the server answered something else") from error


async def _content(answer: httpx.Response) -> bytes:
    """All of a body. Raises Offline for one that is longer than any answer of the protocol."""
    content = bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        if len(content) > ANSWER_BYTES:
            raise Offline("the server answered something else")
    return bytes(content)


def _refusal(answer: httpx.Response, content: bytes) -> Refused | Offline:
    try:
        problem = msgspec.json.decode(content, type=rest.Problem)
    except msgspec.MsgspecError:
        return Offline(f"the server answered with status {answer.status_code}")
    if not is_code(problem.code):
        return Offline("the server answered something else")
    text = ERRORS[problem.code].text if problem.code in ERRORS else "a newer server's refusal"
    return Refused(problem.code, text, _seconds(answer.headers.get("Retry-After")))


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None

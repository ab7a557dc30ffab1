"""HTTP: the server's resources as typed methods.

A refusal is `Refused` with the server's code; no answer, or nonsense, is `Offline`. Nothing is
retried here: whoever asks knows whether asking again is safe.
"""

from typing import TypeVar

import httpx
import msgspec

from linnet.client.http import Http, read
from linnet.wire import rest
from linnet.wire.ids import show

B = TypeVar("B")


class Api:
    """One server. `close` when done. Raises BadAddress for what is no http or https URL."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url
        self._http = Http(url, transport)

    async def close(self) -> None:
        """Close idle connections."""
        await self._http.close()

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
        return read(await self._send("POST", path, body), rest.Login)

    async def refresh(self, body: rest.Refresh) -> rest.Login:
        """Rotate the refresh token."""
        return await self._post("/tokens", body, rest.Login)

    async def upload_keys(self, token: str, body: rest.KeyUpload) -> None:
        """Publish pre-keys. The same upload twice is one."""
        await self._send("PUT", "/keys", msgspec.json.encode(body), token)

    async def key_count(self, token: str) -> rest.KeyCount:
        """One-time keys of this device that nobody took yet."""
        return read(await self._send("GET", "/keys", None, token), rest.KeyCount)

    async def take_bundle(self, token: str, account: bytes, device: int) -> rest.Bundle:
        """Take a device's bundle: its one-time keys are gone for everybody else."""
        path = f"/keys/{show(account)}/{device}"
        return read(await self._send("POST", path, None, token), rest.Bundle)

    async def device_list(self, token: str, account: bytes) -> rest.Signed:
        """The newest signed device list of an account."""
        path = f"/accounts/{show(account)}/devices"
        return read(await self._send("GET", path, None, token), rest.DeviceListAnswer).list

    async def device_lists(self, token: str, accounts: list[bytes]) -> list[rest.Signed]:
        """The newest lists of up to a hundred accounts, in no order."""
        body = rest.DeviceListsRequest(accounts=accounts)
        return (await self._post("/accounts/devices", body, rest.DeviceLists, token)).lists

    async def upload_list(self, token: str, signed: rest.Signed) -> rest.ListAccepted:
        """Publish the next version of one's own list. The same bytes may come again."""
        body = msgspec.json.encode(signed)
        return read(await self._send("PUT", "/devices/list", body, token), rest.ListAccepted)

    async def look_up(self, token: str, numbers: list[str]) -> list[rest.ContactMatch]:
        """Which of these E.164 numbers have an account."""
        body = rest.ContactLookup(numbers=numbers)
        return (await self._post("/contacts/lookup", body, rest.ContactMatches, token)).matches

    async def finish_recovery(self, registration: bytes, body: bytes) -> rest.Login:
        """Go on with the previous account: an encoded RecoveryFinish, the same bytes each time."""
        path = f"/registrations/{show(registration)}/recovery"
        return read(await self._send("POST", path, body), rest.Login)

    # ---- linking

    async def open_link(self, offer: rest.LinkOffer) -> rest.LinkOpened:
        """Have an offer kept for the main device. The same offer may come again."""
        return await self._post("/links", offer, rest.LinkOpened)

    async def link_state(self, link: bytes, wait_s: int) -> rest.LinkState:
        """How far a link has come; waits for the next step."""
        path = f"/links/{show(link)}?wait={wait_s}"
        return read(await self._send("GET", path, None), rest.LinkState)

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
        return read(await self._send("GET", path, None, token), rest.LinkOffered).offer

    async def answer_link(self, token: str, link: bytes, answer: rest.LinkAnswer) -> None:
        """The main device's half. The same answer may come again."""
        path = f"/links/{show(link)}/answer"
        await self._send("PUT", path, msgspec.json.encode(answer), token)

    async def link_ready(self, token: str, link: bytes, wait_s: int) -> rest.LinkReady:
        """The new device's half; waits for it."""
        path = f"/links/{show(link)}/keys?wait={wait_s}"
        return read(await self._send("GET", path, None, token), rest.LinkReady)

    async def activate_link(
        self, token: str, link: bytes, signed: rest.Signed
    ) -> rest.ListAccepted:
        """Publish the list that names the new device. The same bytes may come again."""
        path, body = f"/links/{show(link)}/list", msgspec.json.encode(signed)
        return read(await self._send("PUT", path, body, token), rest.ListAccepted)

    async def end_link(self, token: str, link: bytes) -> None:
        """Let a link lapse now."""
        await self._send("DELETE", f"/links/{show(link)}", None, token)

    # ---- sealed sending: what an account does about it with a token

    async def set_delivery_key(self, token: str, hash: bytes) -> None:
        """Replace the key that others show to send sealed messages here, by its SHA-256."""
        body = msgspec.json.encode(rest.DeliveryKeyHash(hash=hash))
        await self._send("PUT", "/profile/delivery-key", body, token)

    async def sender_certificate(self, token: str) -> rest.SenderCertificate:
        """The server's word on which identity key this device has, for a day."""
        answer = await self._send("GET", "/certificates/sender", None, token)
        return read(answer, rest.SenderCertificate)

    async def trust_root(self) -> bytes:
        """The key that all sender certificates lead back to."""
        return read(await self._send("GET", "/certificates/root", None), rest.TrustRoot).key

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
        return read(await self._send("GET", "/groups", None, token), rest.OwnGroups).groups

    async def group_log(self, token: str, group: bytes, since: int) -> rest.GroupLog:
        """Entries after a version, and the lists that they cite."""
        path = f"/groups/{show(group)}/log?since={since}"
        return read(await self._send("GET", path, None, token), rest.GroupLog)

    async def group_members(self, token: str, group: bytes) -> rest.Roster:
        """Whom messages that name the newest roster reach."""
        path = f"/groups/{show(group)}/members"
        return read(await self._send("GET", path, None, token), rest.Roster)

    async def _post(self, path: str, body: rest.Body, answer: type[B], token: str = "") -> B:
        return read(await self._send("POST", path, msgspec.json.encode(body), token), answer)

    async def _send(self, method: str, path: str, body: bytes | None, token: str = "") -> bytes:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self._http.send(method, path, body, headers)


def signed(body: bytes, sig: bytes) -> rest.Signed:
    """A signed object as it travels in JSON."""
    return rest.Signed(body=body, sig=sig)

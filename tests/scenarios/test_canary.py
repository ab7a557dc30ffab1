"""The canary: distinctive plaintext and secrets go through a real server, and every byte that it
wrote is searched for them.

Finding nothing proves no privacy; it catches carelessness. That the search would find them is
tested as well.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import httpx
import pytest
from tests.cli.kit import Served, served
from tests.scenarios.linking import linked
from tests.scenarios.waiting import eventually

from linnet.cli.demo import kept
from linnet.cli.demo.search import files_under, search
from linnet.client import Client, State, UnknownRecipient, facts
from linnet.client.facts import Keys, Login, RecoveryCode, StorageKey
from linnet.client.sealed.own_profile import Profile
from linnet.crypto.sender_key_record import SenderKeyRecord, SenderKeyState
from linnet.wire.ids import MessageId

pytestmark = pytest.mark.slow

ALICE, BOB, STRANGER = "+4917604069001", "+4917604069002", "+4917604069003"

TEXTS = [
    "Der Kanarienvogel heißt Gerlinde und schläft um 21:17.",
    "quarterly-figures-Zwiebelkuchen-2026.xlsx",
    "Gerlinde-" * 150,
    "Ключ под третьим цветочным горшком.",
]
ANSWER = "Zwiebelkuchen is ready; bring Gerlinde and the photographs."
AWAY = "Written while nobody listened: Pfifferlinge im Kühlschrank."
NOTE = "note to self: the alarm code of the Vogelhaus is rotbuche"
TITLE = "Kanarienchor: Probe im Gartenhaus"
SUNG = "Bitte die Noten von Zilpzalp und Nachtigall mitbringen."
ECHO = "Schlüssel fürs Gartenhaus: im Nistkasten."
SETTING = "ringtone-of-the-Wiedehopf"
TABLET = "Gerlindes zweites Küchentablet"
NAMES = {"alice": "Gerlindes Küchentablet", "bob": "Zwiebelkuchen laptop"}
STRAY = "Rauchschwalbe-in-a-request-that-is-refused"


@dataclass
class Planted:
    """What happened: where the server's files are, what went through it, what must be there."""

    server: Served
    place: Path
    secrets: dict[str, bytes] = field(default_factory=dict)
    sent: list[MessageId] = field(default_factory=list)

    def written(self) -> list[Path]:
        """Everything the server wrote or answered to whoever runs it. Not the file of codes:
        that is the one way out for a phone number."""
        return files_under(self.server.data, self.server.log, self.place / "answers")

    def found(self) -> list[str]:
        """The names of secrets that are in what the server wrote, with file and form."""
        files = self.written()
        return [
            f"{name}: {finding.form} in {Path(finding.file).name} at {finding.offset}"
            for name, secret in self.secrets.items()
            for finding in search(files, [secret]).findings
        ]


async def talk(planted: Planted) -> None:
    """Alice and Bob: texts both ways, one while Bob is away, a note to self."""
    alice = await person(planted, "alice", ALICE)
    bob = await person(planted, "bob", BOB)
    async with alice:
        async with bob:
            for text in TEXTS:
                planted.sent.append(await alice.send(BOB, text))
            await reaches(alice, planted.sent[-1], State.DELIVERED)
            planted.sent.append(await bob.send(alice.account, ANSWER))
            await reaches(bob, planted.sent[-1], State.DELIVERED)
            with pytest.raises(UnknownRecipient):
                await bob.send(STRANGER, "nobody")
            await sing(planted, alice, bob)
        for to, text in ((BOB, AWAY), (alice.account, NOTE)):
            planted.sent.append(await alice.send(to, text))
            await reaches(alice, planted.sent[-1], State.SENT)
    texts = [*TEXTS, ANSWER, AWAY, NOTE, *NAMES.values(), STRAY]
    texts += [TITLE, SUNG, ECHO, SETTING, TABLET]
    planted.secrets |= {f"text {n}": text.encode() for n, text in enumerate(texts)}
    planted.secrets |= {f"number {n}": n.encode() for n in (ALICE, BOB, STRANGER)}
    for name in NAMES:
        planted.secrets |= of_account(name, planted.place / name / "linnet.db")
        planted.secrets |= of_groups(name, planted.place / name / "linnet.db")


async def sing(planted: Planted, alice: Client, bob: Client) -> None:
    """A group with a title, messages both ways; a second device with a name, told a setting."""
    async with await linked(alice, planted.server.url, planted.place / "tablet", TABLET) as tablet:
        await alice.settings.set(SETTING, SETTING)
        choir = await alice.groups.create([BOB], title=TITLE)
        sent = await alice.groups.send(choir, SUNG)
        await reaches(alice, sent, State.DELIVERED)
        echo = await bob.groups.send(choir, ECHO)
        await reaches(bob, echo, State.DELIVERED)

        async def told() -> bool:
            return await tablet.settings.get(SETTING, "") == SETTING

        await eventually(told)
    planted.secrets |= of_groups("tablet", planted.place / "tablet" / "linnet.db")


async def person(planted: Planted, name: str, number: str) -> Client:
    async def code() -> str:
        return planted.server.code_for(number)

    directory = planted.place / name
    client = await Client.register(planted.server.url, directory, number, code, name=NAMES[name])
    planted.secrets[f"{name}'s recovery code as text"] = str(client.recovery_code).encode()
    # Opening the account forgets these two.
    planted.secrets |= of_account(name, directory / "linnet.db")
    return client


async def reaches(client: Client, id: MessageId, state: State) -> None:
    async def there() -> bool:
        return await client.state(id) is state

    await eventually(there)


def of_account(name: str, file: Path) -> dict[str, bytes]:
    """Every secret in an account's file: private keys, tokens, what messages were committed to."""
    db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        own, login = facts.get(db, Keys), facts.get(db, Login)
        recovery, storage = facts.get(db, RecoveryCode), facts.get(db, StorageKey)
        assert own is not None
        assert login is not None
        assert storage is not None
        secrets = {
            "device key": own.device_private,
            "account key": own.account_private,
            "storage key": storage.key,
            f"access token {login.expires_ms}": login.access.encode(),
            f"refresh token {login.expires_ms}": login.refresh.encode(),
        }
        profile = facts.get(db, Profile)
        if profile is not None:
            secrets["profile key"] = profile.key
        if recovery is not None:
            secrets["recovery code"] = recovery.code
        for table, column in (
            ("signed_pre_keys", "private"),
            ("one_time_pre_keys", "private"),
            ("kem_pre_keys", "seed"),
        ):
            for id, key in db.execute(f"SELECT id, {column} FROM {table}"):
                secrets[f"{table} {id}"] = key
        for table in ("tries", "accepted"):
            for id, opening in db.execute(
                f"SELECT id, substr(z, 1, 32) FROM {table} WHERE length(z) > 0"
            ):
                secrets[f"opening of {id.hex()}"] = opening
    finally:
        db.close()
    return {f"{name}'s {what}": secret for what, secret in secrets.items()}


def of_groups(name: str, file: Path) -> dict[str, bytes]:
    """Every secret of groups in an account's file: chain and signing keys, secrets of titles."""
    db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    secrets: dict[str, bytes] = {}
    try:
        for (data,) in db.execute("SELECT state FROM sender_keys_own"):
            state = SenderKeyState.from_bytes(data)
            secrets |= {"chain key": state.chain_key, "signing key": state.signing_private}
        for (data,) in db.execute("SELECT record FROM sender_keys"):
            for chain in SenderKeyRecord.from_bytes(data).chains:
                secrets[f"chain {chain.chain_id}"] = chain.chain_key
        for (secret,) in db.execute("SELECT secret FROM group_secrets"):
            secrets["group secret"] = secret
    finally:
        db.close()
    return {f"{name}'s {what}": secret for what, secret in secrets.items()}


def stray(planted: Planted) -> None:
    """Requests that are refused, with planted text and numbers wherever it can be put."""
    url, token = planted.server.url, f"Bearer {STRAY}"
    with httpx.Client(base_url=url) as http:
        http.get(f"/v1/{STRAY}")
        http.get(f"/v1/accounts/{STRAY}/devices", headers={"Authorization": token})
        http.get("/v1/keys", params={"q": STRAY}, headers={"Authorization": token})
        http.post("/v1/registrations", json={"number": STRAY})
        http.post("/v1/registrations", json={"number": STRANGER, "text": STRAY})
        http.post("/v1/registrations", content=STRAY.encode(), headers={"User-Agent": STRAY})
        http.post("/v1/tokens", json={"refresh": STRAY, "id": STRAY, "proof": STRAY})
        http.request(STRAY[:10].upper(), f"/{STRAY}")
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol": STRAY,
        }
        http.get("/v1/connect", params={"token": STRAY}, headers=upgrade)


def answers(planted: Planted) -> None:
    """What the server tells whoever runs it, into files."""
    folder = planted.place / "answers"
    folder.mkdir()
    for page in ("metrics", "healthz", "readyz"):
        answer = httpx.get(f"{planted.server.url}/{page}")
        assert answer.status_code == 200
        (folder / page).write_bytes(answer.content)


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Planted]:
    with served(tmp_path) as server:
        yield Planted(server, tmp_path)


async def test_nothing_that_people_say_or_own_is_in_anything_the_server_wrote(
    planted: Planted,
) -> None:
    await talk(planted)
    stray(planted)
    answers(planted)
    kinds = {name.partition(" ")[2].partition(" ")[0] for name in planted.secrets}
    assert {"recovery", "device", "account", "access", "refresh", "opening", "profile"} <= kinds
    assert planted.found() == []
    planted.server.process.kill()  # the write-ahead log stays as it is
    planted.server.process.wait()
    assert (planted.server.data / "linnet.db-wal").stat().st_size > 0
    assert planted.found() == []
    with served(planted.place) as again:
        assert again.stop() == 0
    assert planted.found() == []


async def test_the_search_finds_the_ciphertexts_that_must_be_there(planted: Planted) -> None:
    await talk(planted)
    for id in planted.sent[:-1]:  # a note to self has no other device to go to
        ciphertexts = kept.ciphertexts(planted.server.data, id)
        assert ciphertexts
        assert all(search(planted.written(), [one]).findings for one in ciphertexts)


async def test_the_search_would_find_each_secret_in_the_servers_own_database(
    planted: Planted,
) -> None:
    await talk(planted)
    planted.server.stop()
    database = apsw.Connection(str(planted.server.data / kept.DATABASE))
    database.execute("CREATE TABLE leak (body BLOB)")
    with database:
        for number, secret in enumerate(planted.secrets.values()):
            # Behind so much that SQLite cuts some of them between two pages.
            body = os.urandom(4000 + 7 * number) + secret + os.urandom(100)
            database.execute("INSERT INTO leak VALUES (?)", (body,))
    database.close()
    found = {one.partition(": ")[0] for one in planted.found()}
    assert found == set(planted.secrets)


async def test_the_search_would_find_what_the_log_and_the_metrics_say(planted: Planted) -> None:
    planted.secrets = {"log": b"in the log only", "page": b"on a page only"}
    with planted.server.log.open("a") as log:
        log.write("2026 INFO refused: in the log only")
    answers(planted)
    (planted.place / "answers" / "metrics").write_text('http_requests{path="on a page only"} 1')
    assert {one.partition(": ")[0] for one in planted.found()} == {"log", "page"}

"""docs/protocol/signing.md, groups.md and devices.md say what the code says."""

import re
from pathlib import Path

from msgspec.structs import fields

from linnet.signing import group_changes, list_clock
from linnet.signing.device_list import LIFETIME_S
from linnet.signing.errors import ListReason
from linnet.signing.group_changes import LATER, MAX_MEMBERS, MAX_TITLE_BYTES, SEALED_MAX, SEALED_MIN
from linnet.signing.group_entry import Entry
from linnet.signing.group_errors import EntryReason
from linnet.signing.group_rules import FOR_ADMINS
from linnet.signing.linking import KEM_PUBLIC_BYTES, TEXT_CHARS, Offer
from linnet.signing.list_format import MAX_DEVICE_ID, MAX_NAME_BYTES, DeviceList, ListedDevice
from linnet.signing.objects import LABELS, MAX_BODY_BYTES

PAGES = Path(__file__).parents[2] / "docs" / "protocol"
PAGE = (PAGES / "signing.md").read_text()
GROUPS = (PAGES / "groups.md").read_text()
DEVICES = (PAGES / "devices.md").read_text()

NAMES = ["create", "add", "remove", "leave", "promote", "demote", "rekey", "title", "confirm"]


def rows(after: str, page: str = PAGE) -> list[tuple[str, str]]:
    """(number, field) of the first numbered table after a heading."""
    found = page[page.index(after) :]
    table = found[found.index("\n| # |") :].split("\n\n")[0]
    return re.findall(r"^\| (\d+) \| ([^|]+?) \|", table, re.MULTILINE)


def test_every_reason_of_a_refusal_is_explained_once() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(ListReason)


def test_the_labels_are_those_of_the_code() -> None:
    names = re.search(r"Names: ([^.]+)\.", PAGE)
    assert names is not None
    assert re.split(r",\s+", names[1]) == list(LABELS)


def test_the_tables_name_the_fields_of_the_structs() -> None:
    listed = ["format", *(field.name.replace("_", " ") for field in fields(DeviceList))]
    device = [field.name for field in fields(ListedDevice)]
    device[-1] = "counter-signature"
    assert rows("**List**") == [(str(n), name) for n, name in enumerate(listed)]
    assert rows("**Device**") == [(str(n), name) for n, name in enumerate(device)]


def test_the_limits_are_those_of_the_code() -> None:
    assert f"id | int 1 … {MAX_DEVICE_ID}," in PAGE
    assert f"name | bin ≤ {MAX_NAME_BYTES}:" in PAGE
    assert f"at most {MAX_BODY_BYTES:,} bytes" in PAGE
    assert f"at most {LIFETIME_S // 86_400} days after issued" in PAGE


def test_every_reason_to_refuse_an_entry_is_explained_once() -> None:
    assert re.findall(r"^\| `(\w+)` \|", GROUPS, re.MULTILINE) == list(EntryReason)


def test_the_table_of_entries_names_the_fields_of_the_struct() -> None:
    names = ["format", *(field.name.replace("_", " ") for field in fields(Entry))]
    assert rows("## Entry", GROUPS) == [(str(n), name) for n, name in enumerate(names)]


def test_the_changes_are_those_of_the_code() -> None:
    table = re.findall(r"^\| (\d+) \| `(\w+)` \| \[(\d+)\b.*\| (.+) \|$", GROUPS, re.MULTILINE)
    assert [(int(code), name) for code, name, _, _ in table] == [
        (getattr(group_changes, name.upper()), name) for name in NAMES
    ]
    assert all(code == again for code, _, again, _ in table)
    admins = {name for _, name, _, who in table if who == "admin"}
    assert admins == {
        {"Retitle": "title"}.get(kind.__name__, kind.__name__.lower()) for kind in FOR_ADMINS
    }
    for code, name in LATER.items():
        assert f"{code} `{name}`" in GROUPS


def test_the_limits_of_groups_are_those_of_the_code() -> None:
    assert f"At most {MAX_MEMBERS:,} members" in GROUPS
    assert f"1 … {MAX_MEMBERS - 1:,} of them" in GROUPS
    assert f"at most {MAX_TITLE_BYTES} bytes" in GROUPS
    assert f"{SEALED_MIN} … {SEALED_MAX} bytes" in GROUPS


def test_the_table_of_offers_names_the_fields_of_the_struct() -> None:
    names = ["format", *(field.name.replace("_", " ") for field in fields(Offer))]
    assert rows("**Offer**", DEVICES) == [(str(n), name) for n, name in enumerate(names)]
    assert f"bin {KEM_PUBLIC_BYTES:,}" in DEVICES
    assert f"{TEXT_CHARS}\ncharacters" in DEVICES


def test_the_times_of_lists_are_those_of_the_code() -> None:
    day_s = list_clock.DAY_S
    assert f"{list_clock.SIGN_AGAIN_AFTER_S // day_s} days after it was issued" in DEVICES
    assert f"{list_clock.REFETCH_AFTER_S // day_s} days after it was last known" in DEVICES
    assert f"from {list_clock.WARN_BEFORE_S // day_s} days before it expires" in DEVICES
    assert f"not to be had for {list_clock.NARROW_AFTER_S // 3_600} h" in DEVICES
    for standing in list(list_clock.Standing)[1:]:
        assert f'"{standing}"' in DEVICES

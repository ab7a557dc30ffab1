"""docs/protocol/signing.md says what the code says."""

import re
from pathlib import Path

from msgspec.structs import fields

from linnet.signing.device_list import LIFETIME_S
from linnet.signing.errors import ListReason
from linnet.signing.list_format import MAX_DEVICE_ID, MAX_NAME_BYTES, DeviceList, ListedDevice
from linnet.signing.objects import LABELS, MAX_BODY_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "protocol" / "signing.md").read_text()


def rows(after: str) -> list[tuple[str, str]]:
    """(number, field) of the first numbered table after a heading."""
    table = PAGE[PAGE.index(after) :].split("\n\n")[1]
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

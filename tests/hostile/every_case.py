"""All cases, in the order of the table."""

from typing import Final

from tests.hostile import (
    about_accounts,
    about_devices,
    about_groups,
    about_keys,
    about_lists,
    about_logs,
    about_members,
    about_sending,
    in_frames,
    in_order,
    over_http,
)
from tests.hostile.cases import CASES, Case

MODULES: Final = (
    about_keys,
    about_accounts,
    about_lists,
    about_devices,
    about_logs,
    about_members,
    about_groups,
    in_frames,
    in_order,
    about_sending,
    over_http,
)
EVERY_CASE: Final[tuple[Case, ...]] = tuple(
    case for module in MODULES for case in CASES if case.play.__module__ == module.__name__
)

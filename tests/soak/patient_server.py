"""`linnet serve` as it is, but for its rates: people here do in a minute what takes others days.

Run as `python -m tests.soak.patient_server serve …`, with the options of `linnet serve`. What may
be done how often has tests of its own; here it would only make a run wait.
"""

from __future__ import annotations

from tests.chaos.house import House

from linnet.server import config
from linnet.server.config import Accounts, Config, Groups, Keys, Links, Rate, Sealed

OFTEN = Rate(burst=2_000, every_s=0.005)


class PatientConfig(Config, frozen=True):
    """What `linnet serve` is not told of on its command line."""

    accounts: Accounts = Accounts(requests=OFTEN, address_registrations=OFTEN)
    keys: Keys = Keys(uploads=OFTEN, takes=OFTEN, sealed_takes=OFTEN, lookups=OFTEN)
    links: Links = Links(address_offers=OFTEN)
    sealed: Sealed = Sealed(address=OFTEN, account=OFTEN)
    groups: Groups = Groups(creates=OFTEN, entries=OFTEN)


class PatientHouse(House):
    """A house with such a server."""

    def _command(self) -> list[str]:
        python, flag, _, *options = super()._command()
        return [python, flag, "tests.soak.patient_server", *options]


if __name__ == "__main__":
    from linnet.cli import main

    setattr(config, "Config", PatientConfig)  # noqa: B010
    main()

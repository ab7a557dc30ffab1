"""Sealers: which way of the outbox is sealed by which module; a new one is a line here."""

from linnet.client.groups.sealing import GroupSealer
from linnet.client.outbox import Way
from linnet.client.sealed.sealing import SealedSealer
from linnet.client.sealing import Sealers
from linnet.client.sealing_control import ControlSealer
from linnet.client.sealing_pair import PairSealer
from linnet.client.sessions import Sessions


def sealers(sessions: Sessions) -> Sealers:
    """The sealers of an account, with what this device has for them."""
    return Sealers(
        sessions.me.account,
        {
            Way.PAIR: PairSealer(sessions),
            Way.CONTROL: ControlSealer(sessions),
            Way.GROUP: GroupSealer(sessions),
            Way.SEALED: SealedSealer(sessions),
            Way.SEALED_CONTROL: SealedSealer(sessions),
        },
    )

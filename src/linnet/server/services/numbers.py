"""Numbers: phone numbers as people type them, and the keyed hash that alone is stored."""

from __future__ import annotations

import hmac

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from linnet.wire.errors import RequestRefused


def e164(text: str) -> str:
    """The number itself if it is one in E.164 form (`+` and digits). Raises `bad_number`.

    Whether the number is in use is the code's business: ranges open faster than any table of
    them is updated, so only country code and length are checked.
    """
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException:
        raise RequestRefused("bad_number") from None
    canonical = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if canonical != text or not phonenumbers.is_possible_number(number):
        raise RequestRefused("bad_number")
    return canonical


def hashed(pepper: bytes, number: str) -> bytes:
    """HMAC-SHA256 of an E.164 number. Who holds the pepper can try every number there is."""
    return hmac.digest(pepper, number.encode("ascii"), "sha256")

"""The field of the erasure code, against arithmetic done bit by bit."""

from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.spqr import field

elements = st.integers(1, 0xFFFF)
chunks = st.binary(min_size=32, max_size=32)


def product(one: int, other: int) -> int:
    """Multiply modulo x^16 + x^12 + x^3 + x + 1, as in the schoolbook."""
    total = 0
    for bit in range(16):
        if other >> bit & 1:
            total ^= one << bit
    for bit in range(31, 15, -1):
        if total >> bit & 1:
            total ^= 0x1100B << (bit - 16)
    return total


def scaled(factor: int, chunk: bytes) -> bytes:
    words = (int.from_bytes(chunk[at : at + 2]) for at in range(0, 32, 2))
    return b"".join(product(factor, word).to_bytes(2) for word in words)


@given(elements, elements)
def test_logarithms_add_up(one: int, other: int) -> None:
    assert field.power(field.log(one) + field.log(other)) == product(one, other)


@given(elements)
def test_a_negative_power_is_the_inverse(element: int) -> None:
    assert product(element, field.power(-field.log(element))) == 1


def test_every_element_but_zero_is_a_power_of_two() -> None:
    assert sorted(field.power(number) for number in range(field.ORDER)) == list(range(1, 0x10000))


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), chunks), max_size=40))
def test_a_scaled_sum_is_the_sum_of_the_products(terms: list[tuple[int, bytes]]) -> None:
    expected = 0
    for factor, chunk in terms:
        expected ^= int.from_bytes(scaled(factor, chunk))
    spread = ((factor, field.spread(chunk)) for factor, chunk in terms)
    assert field.scaled_sum(spread) == expected.to_bytes(32)

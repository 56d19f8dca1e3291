"""Numbers as people, Excel and producers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import PHONE_NOT_MOBILE, SENDER_NOT_REGISTERED
from rules.messaging.phones import digits, mask, mobile, sender
from rules.messaging.unsendable import Unsendable


@pytest.mark.parametrize(
    "written",
    [
        "01012345678",
        "010-1234-5678",
        " 010.1234.5678\n",
        "010 1234 5678",
        "010–1234–5678",
        "(010) 1234-5678",
        "+82 10-1234-5678",
        "+82 (0)10-1234-5678",
        "821012345678",
        "1012345678",
        "０１０－１２３４－５６７８",
        "0082-10-1234-5678",
        "'01012345678",
        "1012345678.0",
        "\u202d010-1234-5678\u202c",
        "\ufeff010\u200b12345678",
    ],
)
def test_one_mobile_number_in_many_spellings(written: str) -> None:
    assert mobile(written) == "01012345678"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "-",
        "011-123-4567",
        "010-123-4567",
        "010-1234-56789",
        "02-123-4567",
        "1588-1234",
        "070-1234-5678",
        "0507-1234-5678",
        "+1 650 253 0000",
        "엄마 010-1234-5678",
        "010-1234-5678 (엄마)",
        "010-1234-5678 / 010-9999-8888",
        "010-1234-5678 010-9999-8888",
        "010-CALL-5678",
        "010-1234-5678 x2",
        "tel:01012345678",
        "1012345678.5",
        "01012345678.0.0",
        "٠١٠١٢٣٤٥٦٧٨",
    ],
)
def test_all_else_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(Unsendable) as refusal:
        mobile(written)
    assert refusal.value.code == PHONE_NOT_MOBILE
    assert not refusal.value.detail
    assert str(refusal.value) == PHONE_NOT_MOBILE


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("02-123-4567", "021234567"),
        ("+82 2 123 4567", "021234567"),
        ("031-1234-5678", "03112345678"),
        ("1588-1234", "15881234"),
        ("1670 1234", "16701234"),
        ("070-1234-5678", "07012345678"),
        ("080-123-4567", "0801234567"),
        ("010-5970-0000", "01059700000"),
        ("0507-1234-5678", "050712345678"),
    ],
)
def test_senders_may_be_landlines_and_nationwide_numbers(written: str, number: str) -> None:
    assert sender(written) == number


@pytest.mark.parametrize("written", ["", "114", "학원", "+1 650 253 0000", "1234"])
def test_what_is_no_number_cannot_be_a_sender(written: str) -> None:
    with pytest.raises(Unsendable) as refusal:
        sender(written)
    assert refusal.value.code == SENDER_NOT_REGISTERED


def test_no_range_of_010_is_refused() -> None:
    for exchange in range(10_000):
        assert mobile(f"010-{exchange:04d}-1234") == f"010{exchange:04d}1234"


eight_digits = st.from_regex(r"[0-9]{8}", fullmatch=True)


@given(eight_digits)
def test_every_010_number_is_taken_and_stays_itself(rest: str) -> None:
    number = mobile(f"010-{rest[:4]}-{rest[4:]}")
    assert number == f"010{rest}"
    assert mobile(number) == mobile(f"+82 10 {rest}") == number


@given(st.text() | st.from_regex(r"[0-9+ ().-]{6,16}", fullmatch=True))
def test_whatever_is_written_is_a_mobile_number_or_refused(written: str) -> None:
    try:
        number = mobile(written)
    except Unsendable:
        return
    assert number.startswith("010") and len(number) == 11 and number.isascii() and number.isdigit()


@given(eight_digits)
def test_a_mask_shows_the_last_four_digits_only(rest: str) -> None:
    assert mask(f"010{rest}") == f"010-****-{rest[4:]}"


@given(st.text() | st.from_regex(r"[0-9]{0,15}", fullmatch=True))
def test_a_mask_of_anything_shows_four_digits_at_most(written: str) -> None:
    assert len(digits(mask(written).removeprefix("010-"))) <= 4

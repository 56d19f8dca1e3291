"""What the law wants of an advertising message: 정보통신망법 제50조 제4항 and 시행령 [별표 6]. Pure."""

import re
from unicodedata import normalize

from contracts.errors import ADVERTISER_MISSING, OPT_OUT_MISMATCH
from contracts.messaging import Account
from rules.messaging.phones import digits
from rules.messaging.text import clean
from rules.messaging.unsendable import Unsendable

MARK = "(광고)"
# Other spellings, such as [광고] or (광 고), are forbidden: they get past filters.
_ANY_MARK = re.compile(r"(?:[\[({<〈《「『【（［]\s*광[\s./·*]*고\s*[\])}>〉》」』】）］]\s*)+")
# The number follows, with what is usual between: `(무료수신거부)080…`, `무료거부 ☎ 080)123-4567`.
_OPT_OUT = re.compile(
    r"무료\s*(?:수신\s*)?거부(?:\s*(?:번호|전화))?[\s:：\])>】）］☎☏→(\[]*"
    r"([0-9０-９]*(?:[ .)－-]+[0-9０-９]+)*)"
)
_AFTER = " .!\n)]>】）］※"  # what may close the last line


def advertisement(text: str, account: Account) -> str:
    """`(광고)`, the advertiser's name, the text, and last the free number to opt out by.

    What the writer put there already stays, the mark in its legal spelling. Raises
    Unsendable(ADVERTISER_MISSING), or OPT_OUT_MISMATCH when the text names another number than the account's,
    or names it before its end.
    """
    advertiser = clean((account.advertiser or "").strip(), "advertiser")
    number = digits(account.opt_out_number or "")
    if not advertiser or not number.startswith("080"):
        raise Unsendable(ADVERTISER_MISSING)
    body = unmarked(text.strip())
    if not re.match(rf"[\[(<〈【]?\s*{re.escape(advertiser)}(?!\w)", body):
        body = f"{advertiser}\n{body}"
    end = len(body.rstrip(_AFTER))
    written = [(digits(normalize("NFKC", found[1])), found.end()) for found in _OPT_OUT.finditer(body)]
    if not written:
        body = f"{body}\n무료수신거부 {number}"
    elif written != [(number, end)]:
        raise Unsendable(OPT_OUT_MISMATCH)
    return MARK + body


def unmarked(text: str) -> str:
    """The text without a mark, in whatever spelling, at its start."""
    return _ANY_MARK.sub("", text, count=1) if _ANY_MARK.match(text) else text

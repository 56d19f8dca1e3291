"""One message for all who share a phone: two sisters, one parent. Pure."""

from collections.abc import Iterator, Sequence, Set

from contracts.messaging import Draft, Recipient
from rules.messaging.compose import reached
from rules.messaging.template import by_name
from rules.messaging.unsendable import Unsendable

AND = ", "


def by_phone(
    draft: Draft, recipients: Sequence[Recipient], links: Set[str] = frozenset()
) -> Iterator[list[int]]:
    """Positions of those who share a phone, or an e-mail's address, and the values of what stands in
    `links`: each has their own page to open. In the order of the first of each. Whose phone is none stands
    alone, and is refused by who composes."""
    shared: dict[tuple[str, ...], list[int]] = {}
    for position, recipient in enumerate(recipients):
        try:
            phone = reached(draft, recipient.to).lower()
        except Unsendable:
            phone = f"none {position}"
        own = by_name(recipient.variables) if links else {}
        shared.setdefault((phone, *(own.get(link, "") for link in sorted(links))), []).append(position)
    yield from shared.values()


def merged(people: Sequence[Recipient], asked: Set[str]) -> tuple[int, Recipient]:
    """Who stands for all of `people`, and which of them it is: the first, with the values of all in their
    order, `김하늘, 김바다`, and once where all have the same. Where one lacks what a text asks for it is that
    one alone, so that composing names who it is."""
    values = [by_name(each.variables) for each in people]
    for index, own in enumerate(values):
        if asked - own.keys():
            return index, people[index]
    joined = {}
    for name in dict.fromkeys(name for own in values for name in own):
        given = [own[name] for own in values if name in own]
        joined[name] = given[0] if len(set(given)) == 1 else AND.join(given)
    return 0, people[0].model_copy(update={"variables": joined})

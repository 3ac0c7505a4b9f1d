"""What shoppers want, drawn: products, and the operations on them."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.plans import steps
from conformance.plans.family import Family, device_of
from conformance.plans.steps import Age, Consent, Edge, Guard, Kind, Product, Reuse, Seen

CARTS = ("cart-1", "cart-2")
SKUS = ("sku-1", "sku-2", "sku-3")
DEAREST = 100_000_000_000  # minor units; spec: chapter 6 keeps totals of such prices within an int64
TOO_MANY = 2_000_000_000  # above the limit of a line as a rule


def products() -> st.SearchStrategy[tuple[Product, ...]]:
    """Three products; the third may be priced in another currency or unlisted."""
    available = st.sampled_from((None, 3, 1, 0, 50))
    return st.builds(
        lambda first, second, price, currency, listed: (
            Product(SKUS[0], 100, available=first),
            Product(SKUS[1], price, available=second),
            Product(SKUS[2], 75, currency=currency, listed=listed),
        ),
        available,
        available,
        st.sampled_from((250, 250, 250, 1, DEAREST)),
        st.sampled_from(("GBP", "GBP", "EUR")),
        st.sampled_from((True, True, False)),
    )


def simple_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Adds above all, now and then a change or an operation that is refused."""
    add = st.builds(
        steps.Enqueue,
        device=device_of(family),
        kind=st.just(Kind.ADD),
        cart=st.sampled_from((CARTS[0], CARTS[0], CARTS[1])),
        sku=st.sampled_from(SKUS[:2]),
        quantity=st.integers(1, 3),
    )
    return st.one_of(add, add, _changes(family), refused_intents(family))


def refused_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Operations that most servers reject on one ground or another, followed by others as a rule."""
    grounds = st.sampled_from(
        (
            {"sku": "sku-unknown"},
            {"seen": Seen.NONE},
            {"quantity": 0},
            {"quantity": TOO_MANY},
            {"edge": Edge.LINE_LIMIT},
            {"edge": Edge.BEYOND_LINE_LIMIT},
            {"edge": Edge.BEYOND_STOCK},
            {"kind": Kind.UNKNOWN},
            {"feature": True},
            {"kind": Kind.SET, "cart": CARTS[1]},
            {"seen": Seen.FOREIGN},
            {"reuse": Reuse.OWN},
            {"reuse": Reuse.OTHER},
            {"age": Age.BEYOND_WINDOW},
            {"age": Age.AT_WINDOW},
        )
    )
    return st.builds(
        lambda device, ground: with_fields(steps.Enqueue(device, Kind.ADD, CARTS[0], SKUS[0]), ground),
        device_of(family),
        grounds,
    )


def with_fields(step: steps.Enqueue, ground: dict[str, object]) -> steps.Enqueue:
    """A copy of the step with these fields changed."""
    values = {name: getattr(step, name) for name in step.__slots__} | ground
    return steps.Enqueue(**values)


def _changes(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    return st.builds(
        steps.Enqueue,
        device=device_of(family),
        kind=st.sampled_from((Kind.SET, Kind.ADJUST, Kind.REMOVE)),
        cart=st.sampled_from(CARTS[:1]),
        sku=st.sampled_from(SKUS[:2]),
        quantity=st.sampled_from((1, 2, -1, 0, 4, -3)),
        clamp=st.booleans(),
        edge=st.sampled_from((Edge.NONE,) * 5 + (Edge.LINE_LIMIT, Edge.STOCK, Edge.BEYOND_STOCK)),
        guard=st.sampled_from((Guard.NONE, Guard.NONE, Guard.SEEN, Guard.ZERO)),
    )


def shop_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Every intent with every choice about price and stock."""
    return st.one_of(
        st.builds(
            steps.Enqueue,
            device=device_of(family),
            kind=st.just(Kind.ADD),
            cart=st.sampled_from(CARTS),
            sku=st.sampled_from(SKUS),
            quantity=st.integers(1, 4),
            clamp=st.booleans(),
            seen=st.sampled_from((Seen.CURRENT, Seen.CURRENT, Seen.OTHER, Seen.FOREIGN)),
            consent=st.sampled_from(Consent),
        ),
        _changes(family),
        simple_intents(family),
    )


def aged_intents(family: Family) -> st.SearchStrategy[steps.Enqueue]:
    """Operations of every age."""
    return st.builds(
        lambda step, age: with_fields(step, {"age": age}), simple_intents(family), st.sampled_from(tuple(Age))
    )

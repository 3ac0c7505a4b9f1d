"""What each kind of intent is: the profile it belongs to, the resource it acts on, and who judges it.

One table; the methods it names are those of `judging.Judging`. A kind that is not here is none that this server knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from reference_server.engine.state import ADDRESS_BOOK, PAYMENT_METHODS, WISHLIST

LINE_KINDS = ("add_item", "adjust_quantity", "set_quantity", "remove_item")
"""The intents that name a cart and a line."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of intent.

    The resource is the collection named, or where none is, the cart of the intent's `cart_id`. `look_up` asks the
    backing services (step 13) and is empty for a kind that needs none; `judge` has the rules (step 14).
    """

    profile: str
    judge: str
    look_up: str = ""
    collection: str = ""


KINDS: dict[str, Kind] = {
    **dict.fromkeys(LINE_KINDS, Kind("core", "cart_rules", "look_up_offer")),
    "apply_coupon": Kind("coupons", "coupon_rules", "look_up_promotions"),
    "remove_coupon": Kind("coupons", "coupon_rules"),
    "claim_guest_cart": Kind("guest_claim", "claim_rules", "look_up_guest_lines"),
    **dict.fromkeys(
        ("add_to_wishlist", "remove_from_wishlist"), Kind("wishlist", "wishlist_rules", collection=WISHLIST)
    ),
    **dict.fromkeys(("put_address", "delete_address"), Kind("address_book", "address_rules", collection=ADDRESS_BOOK)),
    "save_payment_method": Kind("payment_methods", "payment_rules", "look_up_payment", PAYMENT_METHODS),
    "delete_payment_method": Kind("payment_methods", "payment_rules", collection=PAYMENT_METHODS),
}

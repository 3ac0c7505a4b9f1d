"""The decision core: pure, without I/O, clock or randomness of its own.

`deciding` walks the table of chapter 3, `comparing` tells what was decided before; `kinds` says for each kind of intent
what it acts on and which rules judge it, and `judging` brings it before them: `cart_rules`, `coupon_rules`,
`wishlist_rules`, `address_rules`, `payment_rules`, `claim_rules`. `snapshot` and `listings` make what readers see. What
all of them need to know comes in as `state.Reading`, what they decide goes out as `state.Changes`; remembering is
`storage`'s.
"""

"""The decision core: pure, without I/O, clock or randomness of its own.

`deciding` walks the table of chapter 3, `cart_rules` the table of chapter 6, `snapshot` prices a cart. What they
need to know comes in as `state.Reading`, what they decide goes out as `state.Changes`; remembering is `storage`'s.
"""

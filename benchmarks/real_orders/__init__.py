"""Real orders over a real link: one day of a shop's order lines played through client and server.

Run as `python -m benchmarks.real_orders --orders PATH --link FILE`; see docs/guides/real-orders.md.

How it works: `orders` reads order lines and refuses the dirty ones. `day` turns the lines of one day into what
shoppers do and how the shop's prices move, on one time line. `recording` reads when a mobile link was down, and
`relay` is that link: everything the clients send passes through it. `playing` captures each intent on its shopper's
device at its time, moves the prices, and lets the devices synchronise as the link allows. `books` then has the
oracle, which shares no code with the server, say what had to come out of it.
"""

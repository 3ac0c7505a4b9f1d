"""Kills the client, or the server, with SIGKILL again and again while a long queue drains, and checks the books.

    python -m benchmarks.kill_drain --victim client
    python -m benchmarks.kill_drain --victim server

A queue of intents is written down, a real server and a real `cartsync sync` are started, and the victim is killed
at random instants in the middle of the drain and started again at once. A random instant rarely falls between a
commit and its answer, so a server dies a few more times exactly there. In the end the conformance oracle replays the
intents in order, and what the client was told, what the server has recorded, its ledger of effects and the final
carts have to be the oracle's, operation by operation and to the last unit.

Exit code 0: they are. 1: they are not, or a death did not land in the middle of the drain.
"""

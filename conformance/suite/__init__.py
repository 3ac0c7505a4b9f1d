"""The checks: one pytest test for each story that a requirement calls for, and fuzzed ones beside them.

Run by `cartsync-conformance run`, or by pytest itself:
`pytest --pyargs conformance.suite --cartsync-target HOST:PORT --cartsync-control HOST:PORT`.
"""

"""The reference server: an offline-first cart server that meets every requirement of the specification.

`engine` decides (pure), `storage` remembers (SQLite), `settlement` joins the two into one commit per
submission, `service` speaks gRPC, `control` lets the conformance suite arrange the world, `cli` starts it all.
Imports point that way only: cli -> service -> settlement -> engine, storage.
"""

"""Worked examples: what goes over the wire, played against the reference server and written down in docs/spec/vectors.

`script` is what an exchange is told with; `exchanges` and `messages` are the examples; `session` speaks bytes to a
server with a clock of its own; `notation` turns messages into JSON and back; `variable` says what one right answer may
have and another not; `files` reads and writes; `page` lays them out for people.

`python -m tools.vectors` writes all of it, `--check` fails when something is stale.

An exchange of a further profile is one function in `exchanges`, marked with `exchange(…)`.
"""

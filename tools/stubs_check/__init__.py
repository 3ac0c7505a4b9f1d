"""Proves that stubs can be had in other languages: generates them, compiles them, and runs a small program.

Each language is a project of its own in `examples/stubs/`, as an implementer would have it. `languages` says how
each is built, `project` carries that out in a copy below `build/stubs-check/`, `shop` is the reference server they talk
to, `expectation` judges what they said, `table` shows it all.
"""

"""Writes the pages and pictures that follow from something else, so that they cannot contradict it.

    proto/**            ─> docs/reference/protocol/, rpcs.md, reasons.md, policy.md
    docs/spec, suite    ─> docs/reference/requirements.md
    mutants             ─> docs/reference/mutants.md
    docs/diagrams/*     ─> docs/images/diagrams/, docs/spec/stories.md

`pages()` makes all of them as values; `make docs` writes them, `make docs-check` compares them with what is committed.
"""

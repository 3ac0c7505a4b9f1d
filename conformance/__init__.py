"""The Cartsync conformance suite: certifies anybody's cart server, in any language, over the wire.

`requirements` reads the register out of the spec; `wire` reaches, launches and kills the server under test;
`oracle` says what a server may answer; `plans` draws and executes fuzzed stories; `suite` holds the checks, as
pytest tests; `plugin` turns their outcomes into verdicts; `reports` writes them down; `mutants` prove the suite;
`cli` starts it all.
"""

SPEC_VERSION = "1.0-draft.2"

"""Releases editions of the protocol, and holds the working copy to those that were released.

`contract` writes down what an edition promises beyond what `buf` sees; `compatibility` says what of a released
contract is no longer kept; `protocol` compares the messages themselves, through `buf`; `archive` keeps the released
files in `compat/`; `python -m tools.release` is the way in.
"""

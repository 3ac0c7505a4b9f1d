"""Runs that are written down so that a later suite can judge them again, without any server.

A run keeps what its plans' judge was told, in order: `encoding` makes JSON of the oracle's values, `telling` records
and tells, `histories` are the files, `rejudge` puts a file before the judge of this suite.
"""

"""The gRPC face of the reference server: credentials, statuses, streams. It decides nothing.

`calls` stands in front of every call (who calls, what is logged, how errors leave), `errors` is the table of
status errors, `submissions` checks requests and has them settled, `servicer` answers the unary calls,
`sync_stream` the Sync stream, `listener` puts it all on a port.
"""

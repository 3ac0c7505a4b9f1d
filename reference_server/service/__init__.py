"""The gRPC face of the reference server: credentials, statuses, streams. It decides nothing.

`calls` stands in front of every call (what is logged, how errors leave) with `callers` (who calls) and `call_limits`
(how many at a time); `errors` is the table of status errors. `submissions` checks requests and has them settled,
`servicer` answers the calls of CartSyncService, `sync_stream` its Sync stream, `watching` its watches. `wishlist`,
`address_book`, `payment_methods` and `guests` are the services beside it, over `account_reads`. `listener` puts it all
on a port.
"""

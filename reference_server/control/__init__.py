"""The conformance control service: lets the suite arrange the world around the server. For tests only.

`state` remembers what was arranged, over crashes; `world` lays it over catalogue, limits and credentials;
`fail_points` brings trouble to submissions; `servicer` speaks cartsync.conformance.v1.
"""

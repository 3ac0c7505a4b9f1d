"""The conformance control service: lets the suite arrange the world around the server. For tests only.

`state` remembers what was arranged, over crashes; `world` lays it over catalogue, promotions, payment provider and
limits; `fail_points` brings trouble to submissions; `arguments` says what the calls' fields must look like, `servicer`
answers them, `listening` puts them on a listener of their own.
"""

"""Builds the documentation site, and looks at it in a real browser.

    docs/ ── staging ──> build/site-source ── zensical ──> build/site ── finishing ──> build/site, searchable by slug

Pages read the same on a code host and in the site. What only the site can have is added on the way: an anchor for each
requirement, links from every mention of one, files outside `docs` that pages link to. Nothing in the result is loaded
from the network, and it works from the file system too.
"""

"""Looks at reports in a real browser: nothing broken, nothing foreign, nothing too wide, nobody shut out.

`samples` makes reports such as runs make, `axe` fetches the accessibility checker that `package-lock.json` pins with
its hash, `browser` opens them wide, narrow and dark.
"""

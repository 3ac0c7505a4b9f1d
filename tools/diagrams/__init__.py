"""Draws the diagrams of the documentation as SVG: stories as sequences, tables of transitions as states.

A picture is made from text (`docs/diagrams/*.toml`) and from the tables that the code itself runs on, never drawn by
hand, and needs nothing to be seen: no font, no script, no network. Each is legible on a light and on a dark page.
"""

"""Runs the steps of `action.yml` as a runner of GitHub Actions does, and shows what they leave behind.

`expressions` evaluates what stands in `${{ }}`; `commands` reads workflow commands out of what a step prints; `runner`
goes through the steps. `python -m tools.action_check` runs the action against the reference server, which passes, and
against a wrong server, which fails.
"""

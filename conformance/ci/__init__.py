"""The suite as a step of continuous integration.

`github` says what a run means to GitHub Actions (pure); `python -m conformance.ci` is what `action.yml` calls.
"""

"""One run of the suite: its settings and budget, the smoke stage, what each check found, the report."""

from conformance.run.budget import BUDGETS, Budget
from conformance.run.recorder import NoProgress
from conformance.run.run import Run
from conformance.run.settings import RunSettings

__all__ = ["BUDGETS", "Budget", "NoProgress", "Run", "RunSettings"]

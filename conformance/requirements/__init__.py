"""The register of requirements, read out of the text of the spec."""

from conformance.requirements.register import Register, Requirement, load

__all__ = ["Register", "Requirement", "load"]

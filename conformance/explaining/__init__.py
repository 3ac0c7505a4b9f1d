"""Why a finding is one: the reason in the spec, the worlds still possible, commands that show it without the suite."""

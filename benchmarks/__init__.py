"""Programs that show the whole system at work; none of them is needed to use it."""

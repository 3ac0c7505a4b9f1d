"""Runs the formal model of docs/spec/model: every rule in place, and each rule removed."""

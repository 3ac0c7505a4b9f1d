"""Expressions of GitHub Actions, as far as `action.yml` uses them: contexts, comparison, logic and status functions.

Whatever else is written is an error here, so that the action stays within what this can check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Value: TypeAlias = str | bool

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<operator>&&|\|\||==|!=|!|\(|\))|(?P<name>[A-Za-z_][\w.-]*))", re.ASCII
)
_PLACEHOLDER = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class ExpressionError(ValueError):
    """The expression uses something that is not known here."""


class Expressions:
    """Evaluates expressions against contexts, which are nested mappings, and the status of the job so far."""

    def __init__(self, contexts: Mapping[str, Any], *, failed: bool = False, cancelled: bool = False) -> None:
        self._contexts = contexts
        self._functions: Mapping[str, Callable[[], bool]] = {
            "success": lambda: not failed and not cancelled,
            "failure": lambda: failed,
            "cancelled": lambda: cancelled,
            "always": lambda: True,
        }

    def filled_in(self, text: str) -> str:
        """The text with every placeholder replaced by its value."""
        return _PLACEHOLDER.sub(lambda found: _as_text(self.value(found[1])), text)

    def condition(self, text: str) -> bool:
        """Whether an `if` lets its step run: without a status function, only after success."""
        found = _PLACEHOLDER.fullmatch(text.strip())
        expression = found[1] if found else text
        value = _is_true(self.value(expression)) if expression.strip() else True
        names = {token for kind, token in _tokens(expression) if kind == "name"}
        return value and (bool(names & set(self._functions)) or self._functions["success"]())

    def value(self, expression: str) -> Value:
        """The value of one expression; raises ExpressionError."""
        tokens = _tokens(expression)
        value = self._either(tokens)
        if tokens:
            raise ExpressionError(f"{expression!r}: {tokens[0][1]!r} is out of place")
        return value

    def _either(self, tokens: list[tuple[str, str]]) -> Value:
        value = self._both(tokens)
        while _takes(tokens, "||"):
            other = self._both(tokens)
            value = value if _is_true(value) else other
        return value

    def _both(self, tokens: list[tuple[str, str]]) -> Value:
        value = self._compared(tokens)
        while _takes(tokens, "&&"):
            other = self._compared(tokens)
            value = other if _is_true(value) else value
        return value

    def _compared(self, tokens: list[tuple[str, str]]) -> Value:
        value = self._one(tokens)
        for operator, wanted in (("==", True), ("!=", False)):
            if _takes(tokens, operator):
                return (_as_text(value).lower() == _as_text(self._one(tokens)).lower()) is wanted
        return value

    def _one(self, tokens: list[tuple[str, str]]) -> Value:
        if _takes(tokens, "!"):
            return not _is_true(self._one(tokens))
        if _takes(tokens, "("):
            value = self._either(tokens)
            if not _takes(tokens, ")"):
                raise ExpressionError("a parenthesis is not closed")
            return value
        if not tokens:
            raise ExpressionError("an expression ends too early")
        kind, token = tokens.pop(0)
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind != "name":
            raise ExpressionError(f"{token!r} is out of place")
        if _takes(tokens, "("):
            if not _takes(tokens, ")") or token not in self._functions:
                raise ExpressionError(f"the function {token} is not known here")
            return self._functions[token]()
        return token == "true" if token in ("true", "false") else self._looked_up(token)

    def _looked_up(self, path: str) -> Value:
        first, *rest = path.split(".")
        if first not in self._contexts:
            raise ExpressionError(f"the context {first} is not known here")
        found: Any = self._contexts[first]
        for name in rest:
            found = found.get(name, "") if isinstance(found, Mapping) else ""
        return found if isinstance(found, str | bool) else ""


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    text = expression.strip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise ExpressionError(f"{expression.strip()!r}: {text[position:]!r} is not understood")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens


def _takes(tokens: list[tuple[str, str]], operator: str) -> bool:
    if tokens and tokens[0] == ("operator", operator):
        tokens.pop(0)
        return True
    return False


def _is_true(value: Value) -> bool:
    return value if isinstance(value, bool) else value != ""


def _as_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else value

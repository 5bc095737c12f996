"""Route templates of HTTP triggers: finds the function of a path, and its parameters.

The syntax is a part of ASP.NET Core's (learn.microsoft.com/aspnet/core/fundamentals/routing):
`things/{name}`, `{id:int}`, `{id?}`, `{id=1}`, `{*rest}`. As in the real host, a route matches only the
methods that the function lists: the answer for others is 404, not 405 (Azure/azure-functions-host#10098).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from local.functions_host.settings import HostSettingsError

_PARAMETER = re.compile(
    r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(?::\w+)*)(?:=(?P<default>[^}]*))?(?P<optional>\??)\}"
)
_CONSTRAINTS = {
    "int": r"[-+]?\d{1,10}",
    "long": r"[-+]?\d{1,19}",
    "bool": r"(?i:true|false)",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "float": r"[-+]?\d+(?:\.\d+)?",
    "double": r"[-+]?\d+(?:\.\d+)?",
    "decimal": r"[-+]?\d+(?:\.\d+)?",
}
_LITERAL, _CONSTRAINED, _PLAIN, _REST = range(4)


@dataclass(frozen=True, slots=True)
class Route:
    """One function's route.

    Attributes:
        function: The function's name.
        template: The app's template, with the prefix.
        methods: The methods in upper case; empty for all methods.
        pattern: The pattern of the whole path.
        defaults: The default values of parameters.
        precedence: A more specific route has a smaller precedence.
    """

    function: str
    template: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    defaults: tuple[tuple[str, str], ...]
    precedence: tuple[int, ...]

    @classmethod
    def compile(cls, function: str, template: str, methods: Iterable[str] = (), *, prefix: str = "") -> Self:
        """Compile a template.

        Raises:
            HostSettingsError: If the template is malformed, or has an unsupported constraint.
        """
        whole = "/".join(part for part in (prefix.strip("/"), template.strip("/")) if part)
        pattern, precedence, defaults = "", [], []
        for segment in whole.split("/"):
            expression, rank, default, optional = _segment(function, whole, segment)
            pattern += f"(?:/{expression})?" if optional else f"/{expression}"
            precedence.append(rank)
            defaults += default
        return cls(
            function,
            whole,
            frozenset(method.upper() for method in methods),
            re.compile(pattern + "/?"),
            tuple(defaults),
            tuple(precedence),
        )


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the most specific route of a request, with its parameters; None if no route matches.

    Args:
        routes: All routes.
        method: The HTTP method.
        path: The request's path, percent-encoded, with its leading slash.
    """
    for route in sorted(routes, key=lambda route: route.precedence):
        if route.methods and method.upper() not in route.methods:
            continue
        if found := route.pattern.fullmatch(path):
            given = {name: unquote(value) for name, value in found.groupdict().items() if value is not None}
            return route, {**dict(route.defaults), **given}
    return None


def _segment(function: str, whole: str, segment: str) -> tuple[str, int, list[tuple[str, str]], bool]:
    expression, rank, defaults, optional, end = "", _LITERAL, [], False, 0
    for found in _PARAMETER.finditer(segment):
        expression += _literal(segment[end : found.start()])
        end = found.end()
        value, kind = r"[^/]+?", _PLAIN
        for constraint in found["constraints"].split(":")[1:]:
            if constraint not in _CONSTRAINTS:
                raise HostSettingsError(
                    f"function {function}: route {whole!r} uses the constraint {constraint!r}; this host "
                    "supports " + ", ".join(sorted(_CONSTRAINTS))
                )
            value, kind = _CONSTRAINTS[constraint], _CONSTRAINED
        if found["rest"]:
            value, kind = ".*", _REST
        if found["default"] is not None:
            defaults.append((found["name"], found["default"]))
        optional = optional or bool(found["optional"] or found["rest"] or found["default"] is not None)
        expression += f"(?P<{found['name']}>{value})"
        rank = max(rank, kind)
    rest = segment[end:]
    if "{" in rest or "}" in rest:
        raise HostSettingsError(
            f"function {function}: route {whole!r} has a segment that is not a template: {segment!r}"
        )
    return expression + _literal(rest), rank, defaults, optional


def _literal(text: str) -> str:
    return f"(?i:{re.escape(text)})" if text else ""

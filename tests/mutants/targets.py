"""The modules that are mutated, and their nearest tests."""

from dataclasses import dataclass
from typing import Final

from tests.support.paths import ROOT


@dataclass(frozen=True, slots=True)
class Target:
    """Some modules with the same nearest tests.

    Attributes:
        name: A word for the command line and the report.
        modules: Patterns of paths; whole folders if files often move inside.
        tests: Files and folders; their stack and slow tests do not run.
    """

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def paths(self) -> list[str]:
        """Return the paths of the modules in the repository."""
        found = {path for pattern in self.modules for path in ROOT.glob(pattern)}
        return sorted(path.relative_to(ROOT).as_posix() for path in found)


TARGETS: Final = (
    Target(
        "breaker",
        ("shared/admission/breaker.py",),
        ("tests/admission/test_breaker.py", "tests/admission/test_outage.py"),
    ),
    Target(
        "permits",
        ("shared/admission/permits.py",),
        (
            "tests/admission/test_permits.py",
            "tests/admission/test_permit_times.py",
            "tests/admission/test_permit_choices.py",
        ),
    ),
    Target("limit", ("shared/admission/adaptive_limit.py",), ("tests/admission/test_limiter.py",)),
    Target("run-ids", ("shared/runs/ids.py",), ("tests/runs",)),
    Target(
        "provenance",
        ("shared/runs/provenance.py", "shared/runs/claim_check.py"),
        (
            "tests/delivery/test_relay.py",
            "tests/delivery/test_windows.py",
            "tests/delivery/test_via.py",
            "tests/deciding/test_direct_runs.py",
            "tests/runs/test_provenance.py",
        ),
    ),
    Target(
        "filters",
        ("shared/rules/filters/*.py",),
        ("tests/rules/filters", "tests/rules/test_event_grid_subscription.py"),
    ),
    Target(
        "verifier",
        ("shared/callers/verifier.py", "shared/callers/jws_header.py", "shared/callers/signing_keys.py"),
        ("tests/callers", "tests/security/test_tokens.py"),
    ),
    Target(
        "permissions",
        ("shared/callers/permissions.py", "shared/callers/stamps.py"),
        (
            "tests/callers/test_permissions.py",
            "tests/callers/test_permission_table.py",
            "tests/callers/test_buckets.py",
            "tests/security/test_prefixes.py",
            "tests/http_api/test_runs.py",
        ),
    ),
    Target("tokens", ("shared/callbacks/tokens.py",), ("tests/callbacks",)),
    Target(
        "dead-letter-names",
        ("shared/stores/dead_letter_names.py",),
        ("tests/stores/test_dead_letter_names.py", "tests/stores/test_dead_letters.py"),
    ),
    Target(
        "wildcards",
        ("shared/rules/wildcards.py",),
        ("tests/rules/test_wildcards.py", "tests/rules/test_callers.py"),
    ),
    Target("path-prefixes", ("shared/values/path_prefixes.py",), ("tests/security/test_prefixes.py",)),
    Target(
        "github-events",
        ("shared/event/github*.py",),
        ("tests/event/test_github_events.py", "tests/event/test_webhook_bodies.py"),
    ),
    Target(
        "throttle",
        ("shared/throttle.py", "shared/log_throttle.py"),
        ("tests/test_log_throttle.py", "tests/test_throttle.py"),
    ),
    Target("backoff", ("shared/backoff.py",), ("tests/test_backoff.py",)),
    Target("times", ("shared/values/times.py",), ("tests/values/test_times.py",)),
    Target("deciding", ("shared/deciding/*.py",), ("tests/deciding",)),
    Target("parking", ("shared/stores/park*.py", "shared/stores/work_*.py"), ("tests/stores",)),
    Target(
        "delivery",
        ("shared/delivery/*.py",),
        ("tests/delivery/test_policy.py", "tests/delivery/test_rights.py", "tests/delivery"),
    ),
)
"""The nearest tests take seconds. Tests with a server or with many requests run only in `make test`."""

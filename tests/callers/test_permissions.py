"""The identities of an entry of `callers`, what it allows, and how often."""

import pytest

from shared.callers import Rates, entry_applies
from shared.callers.permissions import MOST_BUCKETS, check_conf, start_entry
from shared.callers.verifier import Identity as Caller
from shared.rules.model.callers import CallerSpec
from shared.throttle import Throttle
from tests.support.callers import GUID, OTHER, refusal, spec
from tests.support.clocks import UnixClock


class TestPermissions:
    """The identities of an entry, and what it allows."""

    def test_a_client_id_means_the_application_itself(self) -> None:
        """A user of the same application is another identity."""
        entry = CallerSpec.model_validate({"name": "one", "app_id": GUID, "dags": ["a"]})
        assert entry_applies(entry, Caller(OTHER, GUID, is_app=True))
        assert not entry_applies(entry, Caller(OTHER, GUID, is_app=False))

    @pytest.mark.parametrize("who", [{}, {"group": OTHER}, {"role": "Runs.Start"}])
    def test_users_need_a_scope_that_the_entry_names(self, who: dict[str, str]) -> None:
        """Without `scopes` an entry is only for applications; a scope is compared whole."""

        def applies(*scopes: str, is_app: bool = False, **more: object) -> bool:
            entry = spec(**({"object_id": None} | who | more if who else more))
            groups, roles = frozenset({OTHER}), frozenset({"Runs.Start"})
            identity = Caller(GUID, OTHER, is_app, groups, roles, frozenset(scopes))
            return entry_applies(entry, identity)

        assert applies(is_app=True)
        assert applies(is_app=True, scopes=["Runs.Start"], clients=[GUID])
        assert not applies("Runs.Start")
        assert applies("Other", "Runs.Start", scopes=["Runs.All", "Runs.Start"])
        for scopes in ((), ("runs.start",), ("Runs.Start.All",), ("Runs",), ("",)):
            assert not applies(*scopes, scopes=["Runs.Start"])
        assert applies("Runs.Start", scopes=["Runs.Start"], clients=[GUID, OTHER])
        assert not applies("Runs.Start", scopes=["Runs.Start"], clients=[GUID])

    def test_the_first_entry_that_allows_counts(self) -> None:
        """Entries add up: what one does not allow another may."""
        entries = [spec(), spec(name="two", dags=["b*"], connection="main")]
        who = Caller(GUID, OTHER, is_app=True)
        assert start_entry(entries, who, dag_id="b1", connection=None).name == "two"
        assert start_entry(entries, who, dag_id="b1", connection="main").name == "two"
        assert refusal(lambda: start_entry(entries, who, dag_id="b1", connection="x")).status == 403
        assert refusal(lambda: start_entry(entries, who, dag_id="c", connection=None)).status == 403

    def test_conf_keys_are_listed(self) -> None:
        """Without `conf` no key is allowed, with `*` every one."""
        check_conf(spec(conf=["*"]), ["anything"])
        check_conf(spec(), [])
        assert "'a'" in refusal(lambda: check_conf(spec(), ["a"])).detail
        assert "and more" in refusal(lambda: check_conf(spec(), list("abcdef"))).detail


class TestRates:
    """Token buckets."""

    def test_a_bucket_fills_again(self, clock: UnixClock) -> None:
        """The rate is the size of a bucket, and its refill in a unit of time."""
        rates, who, entry = Rates(clock), Caller(GUID, OTHER, is_app=True), spec(rate="2/m")
        rates.spend(entry, who, 2)
        answer = refusal(lambda: rates.spend(entry, who))
        assert (answer.status, answer.headers["Retry-After"]) == (429, "31")
        clock.now += 31
        rates.spend(entry, who)
        assert refusal(lambda: rates.spend(entry, who)).status == 429

    def test_identities_have_buckets_of_their_own(self, clock: UnixClock) -> None:
        """One member of a group does not use up another's."""
        rates, entry = Rates(clock), spec(rate="1/h")
        rates.spend(entry, Caller(GUID, OTHER, is_app=True))
        rates.spend(entry, Caller(OTHER, OTHER, is_app=True))

    def test_what_never_fits_is_told_at_once(self, clock: UnixClock) -> None:
        """A count larger than the bucket is 413, because a later call would fail too."""
        who = Caller(GUID, OTHER, is_app=True)
        assert refusal(lambda: Rates(clock).spend(spec(rate="2/s"), who, 3)).status == 413

    def test_memory_is_bounded(self, clock: UnixClock) -> None:
        """Only so many identities have a bucket."""
        rates, entry = Rates(clock), spec(rate="1/h")
        for number in range(MOST_BUCKETS + 5):
            rates.spend(entry, Caller(str(number), OTHER, is_app=True))
        assert len(rates._buckets) == MOST_BUCKETS


def test_a_gate_opens_after_its_pause(clock: UnixClock) -> None:
    """One call is allowed, and the next after the pause."""
    gate = Throttle(60, clock)
    assert [gate.enter(), gate.enter()] == [True, False]
    clock.now += 60
    assert gate.enter()

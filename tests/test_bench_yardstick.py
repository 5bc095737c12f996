from bench.cold_start import LOCKED, yardstick

PLAIN_SAMPLE = "c303c3a46c6b3d0fcd917215fb38fcd7d7c85d1922fd308c825f40db07e08316"


def test_the_plain_sample_stays_as_it_is() -> None:
    """The sample of the ratios does not change by a byte, so that ratios can be compared."""
    assert f"sha256 {PLAIN_SAMPLE};" in yardstick()


def test_the_yardstick_names_locked_versions() -> None:
    """The versions of the plain sample's imports are noted with the ratios, as the lock file has them."""
    named = yardstick().rpartition("; ")[2].split(", ")
    assert [name.split(" ")[0] for name in named] == [*LOCKED]
    assert all(name.split(" ")[1][0].isdigit() for name in named)

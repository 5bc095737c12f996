"""A vault with the keys of callback tokens, and the address they are for."""

URL = "https://updraft.example/api/outcomes"
OLD, NEW = "old-" + "k" * 43, "new-" + "k" * 43


class Vault:
    """A vault with one secret, in reach of a test."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.cached = value
        self.reads = 0
        self.error: Exception | None = None

    def get(self, name: str) -> str:
        """Return what was read last."""
        if self.error:
            raise self.error
        return self.cached

    def refresh(self, name: str) -> str:
        """Read it."""
        self.reads += 1
        self.cached = self.value
        return self.value

    def __str__(self) -> str:
        return "https://vault.example"

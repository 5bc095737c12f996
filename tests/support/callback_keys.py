"""A vault with the keys of callback tokens, and the address they are for."""

URL = "https://updraft.example/api/outcomes"
OLD, NEW = "old-" + "k" * 43, "new-" + "k" * 43


class Vault:
    """A vault with one secret; `error` meets every read, `broken` a read of the vault itself."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.cached = value
        self.reads = 0
        self.error: Exception | None = None
        self.broken: Exception | None = None

    def get(self, name: str, *, waiters: int | None = None) -> str:
        """Return the last value."""
        if self.error:
            raise self.error
        return self.cached

    def refresh(self, name: str) -> str:
        """Read it."""
        self.reads += 1
        self.cached = self.value
        return self.value

    def reread(self, name: str) -> str:
        """Read it, unless the vault is away."""
        error = self.error or self.broken
        if error:
            raise error
        return self.refresh(name)

    def __str__(self) -> str:
        return "https://vault.example"

"""Azure on a laptop: what `make demo`, `make up` and the tests put around the app."""

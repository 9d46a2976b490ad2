"""The `preheat` command and what it runs. Never deployed."""

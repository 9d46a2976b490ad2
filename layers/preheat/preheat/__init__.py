"""Preheat's runtime: what runs inside an inference function."""

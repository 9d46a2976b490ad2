"""Benchmarks of the cold start and of the warm path: every figure in docs/cold-start.md comes from here."""

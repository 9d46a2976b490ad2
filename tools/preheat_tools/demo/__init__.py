"""`preheat demo`: the system deployed to a local AWS, a slice of real traffic with and without the warmer, in figures."""

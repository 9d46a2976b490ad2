"""`preheat demo`: the system on a local AWS, a slice of real traffic with and without the warmer, in figures."""

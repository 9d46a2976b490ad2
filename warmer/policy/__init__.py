"""The pure part: facts in, plan out. Standard library, numpy and itself; time is an argument."""

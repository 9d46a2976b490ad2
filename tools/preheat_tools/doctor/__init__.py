"""`preheat doctor`: is a stack, or a set of parameters, as it should be, and what does it cost?"""

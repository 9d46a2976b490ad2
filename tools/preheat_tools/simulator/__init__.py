"""Traces played to a policy: an account of Lambda's execution environments that runs the warmer's own cycle."""

"""Other policies of the warmer's own signature, to be measured beside it."""

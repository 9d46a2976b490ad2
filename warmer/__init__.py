"""The warmer: looks at every target once a cycle and keeps it as warm as is worth its price."""

"""An AWS on this machine: ministack as a subprocess on loopback, with what Lambda does and it does not.

`server` and what it imports run inside that process; `process`, `deployment` and `commands` run outside.
"""

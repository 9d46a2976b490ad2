from __future__ import annotations

from tests.warmer.conftest import aws, deploy, table

__all__ = ["aws", "deploy", "table"]

"""The doctor at a whole stack, deployed from the repository's template."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from preheat_tools.doctor.findings import Grade
from preheat_tools.doctor.stack import Deployed

from tests.e2e.conftest import System

pytestmark = pytest.mark.cloud


def test_the_template_as_shipped_lacks_no_permission_and_no_tag(system: System) -> None:
    assert system.tick()["problems"] == {}
    deployed = Deployed.find(system.cloud, "preheat")
    assert deployed.parameters["Strategy"] == "Ping"
    found = list(deployed.check(datetime.fromtimestamp(system.cloud.now_s(), UTC)))
    assert [one.text for one in found if one.grade is Grade.PROBLEM] == []
    assert any(one.about == "permissions" and one.grade is Grade.OK for one in found)
    assert not any("no tag" in one.text for one in found)

"""Local clouds for the session, on free ports, in directories of their own, swept afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests import browser

if TYPE_CHECKING:
    from preheat_tools.localcloud.process import LocalCloud

# An example's time says what else the machine does, not whether the code is right.
settings.register_profile("preheat", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("preheat")

NO_BROWSER = "no Chromium on PATH (apt-get install chromium)"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud in real time."""
    from preheat_tools.localcloud.process import local_cloud

    with local_cloud(tmp_path_factory.mktemp("cloud") / "local", settings={"metric_delay_s": 0}) as made:
        yield made


@pytest.fixture(scope="session")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud in which a minute takes a second."""
    from preheat_tools.localcloud.process import local_cloud

    folder, settings = tmp_path_factory.mktemp("fast") / "local", {"metric_delay_s": 0, "idle_ttl_s": 1e6}
    with local_cloud(folder, compression=60, settings=settings) as made:
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run where Chromium is found."""
    if browser.CHROMIUM is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what was not looked at."""
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(one.longrepr)]
    if skipped:
        terminalreporter.write_sep("!", f"{len(skipped)} browser tests did not run: {NO_BROWSER}", red=True)

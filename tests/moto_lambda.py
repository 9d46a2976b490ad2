"""What moto's Lambda lacks and the warmer needs: provisioned concurrency, account settings, `Qualifier` on invoke.

Import it before the first mock. It replaces moto's backend class, whose URLs moto finds by the class's module name.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from moto.awslambda import models, urls
from moto.awslambda.responses import LambdaResponse
from moto.cloudwatch.models import Statistics
from moto.core.exceptions import JsonRESTError

ACCOUNT_CONCURRENCY = 1000
_NOT_PUBLISHED = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."


class _MissingError(JsonRESTError):
    code = 404


class _RefusedError(JsonRESTError):
    code = 400


class Backend(models.LambdaBackend):
    """moto's, with provisioned concurrency by function and qualifier, allocated at once."""

    __module__ = "moto.awslambda.models"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.provisioned: dict[tuple[str, str], tuple[int, float]] = {}

    def put_provisioned(self, function: str, qualifier: str | None, environments: int) -> dict[str, Any]:
        if environments < 1:
            raise _RefusedError("InvalidParameterValueException", "Value must be at least 1")
        key = self._published(function, qualifier)
        self.provisioned[key] = (environments, time.time())
        return self.get_provisioned(*key)

    def get_provisioned(self, function: str, qualifier: str | None) -> dict[str, Any]:
        key = self._published(function, qualifier)
        if key not in self.provisioned:
            raise _MissingError(
                "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found"
            )
        environments, at = self.provisioned[key]
        return {
            "RequestedProvisionedConcurrentExecutions": environments,
            "AllocatedProvisionedConcurrentExecutions": environments,
            "AvailableProvisionedConcurrentExecutions": environments,
            "Status": "READY",
            "LastModified": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
        }

    def delete_provisioned(self, function: str, qualifier: str | None) -> None:
        self.provisioned.pop(self._published(function, qualifier), None)

    def account_limit(self) -> dict[str, int]:
        reserved = sum(int(f.reserved_concurrency or 0) for f in self.list_functions())
        return {
            "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
            "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - reserved,
        }

    def _published(self, function: str, qualifier: str | None) -> tuple[str, str]:
        found = self.get_function(function)
        if not qualifier or qualifier == "$LATEST":
            raise _RefusedError("InvalidParameterValueException", _NOT_PUBLISHED)
        if qualifier.isdigit():
            self.get_function(function, qualifier)
        else:
            self.get_alias(qualifier, found.function_name)
        return found.function_name, qualifier


class Responses(LambdaResponse):
    """moto looks an action up on the class that a URL dispatches to, hence a subclass."""

    def put_provisioned_concurrency_config(self) -> Any:
        asked = json.loads(self.body)["ProvisionedConcurrentExecutions"]
        answer = self.backend.put_provisioned(self._function(), self._get_param("Qualifier"), asked)
        return 202, {"status": 202}, json.dumps(answer)

    def get_provisioned_concurrency_config(self) -> Any:
        return json.dumps(self.backend.get_provisioned(self._function(), self._get_param("Qualifier")))

    def delete_provisioned_concurrency_config(self) -> Any:
        self.backend.delete_provisioned(self._function(), self._get_param("Qualifier"))
        return 204, {"status": 204}, ""

    def get_account_settings(self) -> Any:
        return json.dumps({"AccountLimit": self.backend.account_limit(), "AccountUsage": {}})

    def invoke(self) -> Any:
        # boto3 sends Qualifier, moto reads qualifier
        if qualifier := self._get_param("Qualifier"):
            self.querystring["qualifier"] = [qualifier]
        return super().invoke()

    def _function(self) -> str:
        return unquote(self.path.rstrip("/").split("/")[-2])


def _percentiles() -> None:
    """moto answers 500 to Stat="p99"; nearest rank over the period's values."""
    plain = Statistics.get_statistics_for_type

    def statistic(self: Statistics, stat: str) -> Any:
        if not (stat.startswith("p") and stat[1:].replace(".", "").isdigit()):
            return plain(self, stat)
        values = sorted(self.metric_single_values_list)
        rank = -(-len(values) * float(stat[1:]) // 100)
        return values[max(0, int(rank) - 1)] if values else 0.0

    Statistics.get_statistics_for_type = statistic  # type: ignore[method-assign]


def _install() -> None:
    models.lambda_backends.backend = Backend
    prefix = r"{0}/(?P<api_version>[^/]+)"
    urls.url_paths[rf"{prefix}/functions/(?P<function_name>[\w_:%-]+)/provisioned-concurrency/?$"] = (
        Responses.dispatch
    )
    urls.url_paths[rf"{prefix}/account-settings/?$"] = Responses.dispatch
    for path in [path for path in urls.url_paths if "invocations" in path]:
        urls.url_paths[path] = Responses.dispatch
    _percentiles()


_install()

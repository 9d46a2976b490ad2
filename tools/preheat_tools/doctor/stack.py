"""A deployed stack as AWS describes it: what its targets are, who may do what, when the warmer ran last."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from preheat_tools.doctor.costs import warms
from preheat_tools.doctor.findings import Finding, Grade
from warmer.adapters.histories import DynamoHistories
from warmer.adapters.targets import Catalogue
from warmer.app import Environment
from warmer.kill_switch import ALLOWED
from warmer.policy.values import Target
from warmer.settings import SettingError

LOOKS_BACK = timedelta(hours=1)
ON_ALIAS = (
    "lambda:InvokeFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:PutProvisionedConcurrencyConfig",
    "lambda:DeleteProvisionedConcurrencyConfig",
)
ON_ANYTHING = ("cloudwatch:GetMetricData", "lambda:GetAccountSettings")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack by name, asked through one session."""

    session: Any
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    @staticmethod
    def find(session: Any, stack: str) -> Deployed:
        """Raises ClientError where there is none."""
        found = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return Deployed(
            session,
            {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
            {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])},
        )

    def check(self, now: datetime) -> Iterator[Finding]:
        """Everything there is to look at, part by part; what cannot be asked is a problem of its own."""
        warmer = self.session.client("lambda").get_function_configuration(
            FunctionName=self.outputs["WarmerFunction"]
        )
        environment = Environment.of(warmer.get("Environment", {}).get("Variables", {}))
        try:
            targets, settings = self._targets(environment, now)
        except SettingError as error:
            yield Finding(Grade.PROBLEM, "settings", str(error))
            return
        yield from settings
        parts: Sequence[tuple[str, Iterator[Finding]]] = (
            ("account", self._account()),
            ("warmer", self._last_run(str(warmer["FunctionName"]), now)),
            ("kill switch", self._kill_switch(environment, targets, now)),
            ("permissions", self._permissions(warmer, environment, targets)),
            *((str(target), self._target(target, environment)) for target in targets),
        )
        for about, findings in parts:
            try:
                yield from findings
            except ClientError as error:
                yield Finding(Grade.PROBLEM, about, f"could not be looked at: {error}")

    def _targets(self, environment: Environment, now: datetime) -> tuple[list[Target], list[Finding]]:
        client = self.session.client
        catalogue = Catalogue(
            client("lambda"),
            client("resourcegroupstaggingapi"),
            client("ssm"),
            environment.parameter,
            environment.targets,
        )
        wanted, held = catalogue.settings(now.timestamp())
        findings = [Finding(Grade.PROBLEM, str(target), why.reason) for target, why in held.items()]
        off = [target for target, settings in wanted.items() if not settings.enabled]
        findings += [
            Finding(Grade.NOTE, str(target), "switched off by its settings (enabled)") for target in off
        ]
        if environment.dry_run:
            findings.append(Finding(Grade.NOTE, "warmer", "a dry run: plans are logged, nothing is touched"))
        if not wanted:
            findings.append(
                Finding(
                    Grade.PROBLEM, "targets", "none found: tag a function `preheat` with its alias as value"
                )
            )
        return list(wanted), findings

    def _account(self) -> Iterator[Finding]:
        limit = self.session.client("lambda").get_account_settings()["AccountLimit"]
        total, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
        text = f"{total} environments at once, {free} of them not reserved"
        if total < 100:
            yield Finding(
                Grade.NOTE, "account", f"{text}: a new account; nothing can be reserved or provisioned"
            )
        elif free <= 100:
            yield Finding(
                Grade.PROBLEM,
                "account",
                f"{text}: 100 must stay so, nothing more can be provisioned; ask for more",
            )
        else:
            yield Finding(Grade.OK, "account", text)

    def _last_run(self, function: str, now: datetime) -> Iterator[Finding]:
        if not warms(self.parameters):
            yield Finding(Grade.NOTE, "warmer", "its schedule is off by the stack's parameters")
            return
        answer = self.session.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Invocations",
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=now - LOOKS_BACK,
            EndTime=now,
            Period=60,
            Statistics=["Sum"],
        )
        ran = [point["Timestamp"] for point in answer["Datapoints"] if point["Sum"] > 0]
        if not ran:
            yield Finding(
                Grade.PROBLEM,
                "warmer",
                "no run within the last hour; what to do: docs/runbooks.md#warmer-silent",
            )
            return
        age_s = (now - max(ran).astimezone(UTC)).total_seconds()
        yield Finding(
            Grade.OK, "warmer", f"last run {age_s / 60:.0f} min ago (metrics come about 2 min late)"
        )

    def _kill_switch(
        self, environment: Environment, targets: Sequence[Target], now: datetime
    ) -> Iterator[Finding]:
        table = self.session.client("dynamodb")
        histories = DynamoHistories(table, environment.table, run="doctor", until_s=0.0)
        loaded = histories.load(targets)
        for target, why in loaded.failed.items():
            yield Finding(Grade.PROBLEM, str(target), why.reason)
        for row, target in enumerate(loaded.targets):
            strikes = histories.strikes(target)
            if strikes.failures >= ALLOWED:
                left_s = max(0.0, strikes.paused_until_s - now.timestamp())
                text = f"kill switch open: {strikes.failures} rounds failed in a row, the next try in {left_s:.0f} s"
                yield Finding(Grade.PROBLEM, str(target), text)
            spent = float(loaded.history["spent_usd"][row])
            reached = int(loaded.history["reached"][row])
            yield Finding(
                Grade.OK,
                str(target),
                f"{reached} environments at the last round; ${spent:.4f} spent on warmth this month",
            )

    def _target(self, target: Target, environment: Environment) -> Iterator[Finding]:
        client, about = self.session.client("lambda"), str(target)
        alias = client.get_alias(FunctionName=target.function, Name=target.alias)
        config = client.get_function_configuration(FunctionName=target.function, Qualifier=target.alias)
        if weights := alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
            shares = ", ".join(f"{version} {share:.0%}" for version, share in weights.items())
            watched = "both are kept warm" if target in environment.shifts else "only the alias is pinged"
            yield Finding(Grade.NOTE, about, f"a shift is under way ({shares}); {watched}")
        tags = client.list_tags(Resource=config["FunctionArn"].rpartition(":")[0]).get("Tags", {})
        if target.alias not in tags.get("preheat", "").split():
            yield Finding(
                Grade.NOTE,
                about,
                f"has no tag preheat={target.alias}: a warmer that goes by tags does not find it",
            )
        if config.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions":
            yield from snapshot_exclusions(about, config, self._is_provisioned(target))

    def _is_provisioned(self, target: Target) -> bool:
        client = self.session.client("lambda")
        try:
            client.get_provisioned_concurrency_config(FunctionName=target.function, Qualifier=target.alias)
        except client.exceptions.ProvisionedConcurrencyConfigNotFoundException:
            return False
        return True

    def _permissions(
        self, warmer: Mapping[str, Any], environment: Environment, targets: Sequence[Target]
    ) -> Iterator[Finding]:
        """By reading the role's own policies; a policy of the organisation may still deny."""
        role = str(warmer["Role"]).rpartition("/")[2]
        iam = self.session.client("iam")
        if iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            yield Finding(
                Grade.NOTE, "permissions", f"{role} has managed policies too, which are not read here"
            )
        allowed = [
            one
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
            for one in _granted(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        ]
        base = str(warmer["FunctionArn"]).rpartition(":")[0]
        wanted = [(action, f"{base}:{target}") for target in targets for action in ON_ALIAS]
        wanted += [("lambda:GetFunctionConcurrency", f"{base}:{target.function}") for target in targets]
        wanted += [("lambda:GetAlias", f"{base}:{target.function}") for target in environment.shifts]
        wanted += [(action, "*") for action in ON_ANYTHING]
        missing = [one for one in wanted if not any(_covers(*grant, *one) for grant in allowed)]
        for action, resource in missing:
            yield Finding(Grade.PROBLEM, "permissions", f"{role} may not {action} on {resource}")
        if not missing:
            yield Finding(
                Grade.OK, "permissions", f"{role} may do what the warmer does ({len(wanted)} looked at)"
            )


def snapshot_exclusions(about: str, config: Mapping[str, Any], provisioned: bool) -> Iterator[Finding]:
    """What SnapStart excludes (Lambda Developer Guide, "Improving startup performance with Lambda SnapStart")."""
    minor = int(str(config.get("Runtime", "python3.12")).rpartition(".")[2] or 0)
    storage = config.get("EphemeralStorage", {}).get("Size", 512)
    excluded = (
        (provisioned, "provisioned concurrency"),
        (bool(config.get("FileSystemConfigs")), "a file system (EFS)"),
        (storage > 512, f"ephemeral storage of {storage} MB, above 512"),
        (minor < 12, f"{config.get('Runtime')}, before python3.12"),
    )
    found = [text for holds, text in excluded if holds]
    for text in found:
        yield Finding(Grade.PROBLEM, about, f"SnapStart excludes {text}")
    if not found:
        yield Finding(Grade.OK, about, "SnapStart, and nothing that it excludes")


def _granted(document: Any) -> Iterator[tuple[str, str]]:
    parsed = json.loads(unquote(document)) if isinstance(document, str) else document
    for statement in parsed["Statement"]:
        if statement["Effect"] == "Allow":
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    yield action, resource


def _covers(action: str, resource: str, wanted: str, on: str) -> bool:
    return fnmatch.fnmatchcase(wanted.lower(), action.lower()) and fnmatch.fnmatchcase(on, resource)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

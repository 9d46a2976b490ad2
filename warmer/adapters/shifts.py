"""An alias whose traffic is being shifted: two versions take its requests, each by its weight, and both stay warm.

Which versions those are is part of what a target was planned under (`Routes.mark`), so that a target is due at once
where they change: as a shift begins, at each of its steps, and when it is over, which lets the old version go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from warmer.policy.values import Capacity, Failed, Round, RoundReport, Target
from warmer.ports import Pinger, Provisioner

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

SHIFTING = "left alone: a deployment is shifting the alias's traffic"


@dataclass(frozen=True, slots=True)
class Routes:
    """The versions behind each alias and their shares of its requests; an alias that was not asked for is missing."""

    weights: Mapping[Target, Mapping[str, float]] = field(default_factory=dict)
    problems: Mapping[Target, Failed] = field(default_factory=dict)
    """Aliases that could not be read. Their pings go through the alias, as customers' requests do."""

    def shifting(self, target: Target) -> bool:
        return len(self.weights.get(target, ())) > 1

    def versions(self, target: Target) -> tuple[Target, ...]:
        """The versions as targets, the one with the larger share first; the alias itself where only one is there."""
        if not self.shifting(target):
            return (target,)
        shares = self.weights[target]
        by_share = sorted(shares, key=lambda version: (-shares[version], int(version)))
        return tuple(Target(target.function, version) for version in by_share)

    def mark(self, target: Target) -> str:
        """A few characters that differ where the routing does; empty where it is not known."""
        shares = self.weights.get(target, {})
        return " ".join(f"{version}={shares[version]:g}" for version in sorted(shares, key=int))


def read_routes(lambda_: LambdaClient, targets: Sequence[Target]) -> Routes:
    """Where these aliases send requests now, a call of the control plane each."""
    weights: dict[Target, Mapping[str, float]] = {}
    problems: dict[Target, Failed] = {}
    for target in targets:
        try:
            alias = lambda_.get_alias(FunctionName=target.function, Name=target.alias)
        except (ClientError, BotoCoreError) as error:
            problems[target] = Failed(f"routing of {target}: {error}")
            continue
        more = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        others = {version: share for version, share in more.items() if share > 0}
        rest = max(0.0, 1.0 - sum(others.values()))
        weights[target] = {**({alias["FunctionVersion"]: rest} if rest > 0 else {}), **others}
    return Routes(weights, problems)


@dataclass(frozen=True, slots=True)
class ShiftingPinger:
    """A Pinger that sends the round of a shifting alias to both of its versions, in full.

    In full, since either may have all requests within a minute: the new one at the next step, the old one where the
    deployment is rolled back. The report is of the version with the larger share (how many there are, how long they
    live), and of what both took.
    """

    inner: Pinger
    routes: Routes

    def send(self, rounds: Sequence[Round]) -> Mapping[Target, RoundReport | Failed]:
        parts = {one.target: self.routes.versions(one.target) for one in rounds}
        reports = self.inner.send([part for one in rounds for part in _split(one, parts[one.target])])
        return {
            target: _merged([reports[version] for version in versions if version in reports])
            for target, versions in parts.items()
        }


@dataclass(frozen=True, slots=True)
class ShiftingProvisioner:
    """A Provisioner that changes nothing of an alias while CodeDeploy shifts it.

    An alias with weights refuses provisioned concurrency (Lambda Developer Guide, "Configuring provisioned concurrency
    for a function"), and what it has is moved from one version to the other by Lambda meanwhile.
    """

    inner: Provisioner
    routes: Routes

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Capacity | Failed]:
        return self.inner.read(targets)

    def request(self, target: Target, environments: int) -> Capacity | Failed:
        if not self.routes.shifting(target):
            return self.inner.request(target, environments)
        now = self.inner.read([target])[target]
        return now if isinstance(now, Failed) else replace(now, status_reason=SHIFTING)


def _split(one: Round, versions: Sequence[Target]) -> Iterator[Round]:
    for version in versions:
        yield replace(one, target=version)


def _merged(reports: Sequence[RoundReport | Failed]) -> RoundReport | Failed:
    """One report of the alias's; Failed where the version with the larger share is."""
    if not reports:
        return Failed("pings: no report")
    first = reports[0]
    if isinstance(first, Failed):
        return first
    others = [other for other in reports[1:] if isinstance(other, RoundReport)]
    return replace(
        first,
        sent=first.sent + sum(other.sent for other in others),
        throttled=first.throttled + sum(other.throttled for other in others),
    )

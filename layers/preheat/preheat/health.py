"""What an environment says of its models: each one's state, and whether it may serve."""

from __future__ import annotations

from preheat.ping import Level, ModelReport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from preheat.fields import PackError
    from preheat.model import HostedModel

    Models = Mapping[str, HostedModel]
    Unreadable = Mapping[str, PackError]


def reports(models: Models, unreadable: Unreadable) -> dict[str, ModelReport]:
    """Every model as it is now, those whose manifest cannot be read among them."""
    lost = {
        name: ModelReport(level=Level.COLD, version="", problem=str(error))
        for name, error in unreadable.items()
    }
    return {name: model.report() for name, model in models.items()} | lost


def unready(eager: Iterable[HostedModel], models: Models, unreadable: Unreadable) -> dict[str, str]:
    """Why an environment is not ready, by model: it failed, or it is eager and was never hot.

    One that was hot and gave way to another since then answers its next request by itself.
    """
    failed = {name: str(error) for name, error in unreadable.items()}
    failed |= {model.name: model.problem for model in models.values() if model.problem}
    cold = {
        model.name: f"{model.level.name}, not HOT yet"
        for model in eager
        if not model.was_hot and not model.problem
    }
    return failed | cold


def failed_required(models: Models, unreadable: Unreadable) -> str:
    """Why an environment must not serve: its required models that failed; empty where none did."""
    failed = {
        model.name: model.problem for model in models.values() if model.problem and model.manifest.required
    }
    failed |= {name: str(error) for name, error in unreadable.items() if error.required}
    return "; ".join(f"required model {name} failed: {problem}" for name, problem in failed.items())


def required_not_hot(models: Models) -> str:
    """Which required models are not hot; empty where all are."""
    return "; ".join(
        f"required model {model.name} is {model.level.name}, not HOT, after INIT"
        for model in models.values()
        if model.manifest.required and model.level < Level.HOT
    )

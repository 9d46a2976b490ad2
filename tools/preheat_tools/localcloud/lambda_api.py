"""ministack's Lambda control plane, with this cloud's data plane and provisioned concurrency behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from preheat_tools.localcloud.functions import Deployed
from preheat_tools.localcloud.invocations import DataPlane, ThrottledError
from preheat_tools.localcloud.pool import Pool
from preheat_tools.localcloud.provisioned import Provisioner
from preheat_tools.localcloud.stack import Expected, Stack
from preheat_tools.localcloud.weights import Weights

EXPECTS = (
    Expected("services.lambda_svc:_execute_function", "3ceb16d648"),
    Expected("services.lambda_svc:_execute_function_with_config_scope", "26a9d5f64e"),
    Expected("services.lambda_svc:_invoke", "ab193779e5"),
    Expected("services.lambda_svc:_throttle_response", "647221d5b0"),
    Expected("services.lambda_svc:_emit_lambda_metrics", "3b6689d77c"),
    Expected("services.lambda_svc:_get_func_record_for_ref", "492b4efe8f"),
    Expected("services.lambda_svc:_execution_record_for_config", "632acaa448"),
    Expected("services.lambda_svc:_xray_trace_id_for_invocation", "46cbd1c521"),
    Expected("services.lambda_svc:_delete_function", "4acf1bc5a5"),
    Expected("services.lambda_svc:_update_alias", "0017f6b94b"),
    Expected("services.lambda_svc:_delete_alias", "425784b531"),
    Expected("services.lambda_svc:reset", "e531ea1c9e"),
    Expected("services.lambda_svc:invalidate_worker", "1be5d7f769"),
    Expected("services.lambda_svc:_get_provisioned_concurrency", "e579a7415a"),
    Expected("services.lambda_svc:_put_provisioned_concurrency", "c9f084246a"),
    Expected("services.lambda_svc:_delete_provisioned_concurrency", "fe70f5acfe"),
    Expected("services.lambda_svc:_ACCOUNT_CONCURRENCY_CAP"),
    Expected("services.lambda_svc:_get_account_settings", "8155708f9d"),
)

_UNRESERVABLE = 100
"""Units of the account's concurrency that no function may reserve or provision
(https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html)."""


@dataclass(frozen=True, slots=True)
class StackRegistry:
    """ministack's records of functions, aliases and reserved concurrency, in one account and region."""

    stack: Stack
    scope: tuple[str, str]

    def deployed(self, function: str, qualifier: str) -> Deployed | None:
        """What a qualifier names now."""
        service = self.stack.lambda_svc
        with self.stack.responses.request_scope(*self.scope):
            record, config = service._get_func_record_for_qualifier(function, qualifier)
            if record is None or config is None:
                return None
            named = {**config, "FunctionArn": f"{service._func_arn(function)}:{qualifier}"}
            return Deployed.of({**record, "config": named})

    def reserved(self, function: str) -> int | None:
        """Reserved concurrency, which is the function's, whatever version or alias is invoked."""
        with self.stack.responses.request_scope(*self.scope):
            found = (self.stack.lambda_svc._functions.get(function) or {}).get("concurrency")
        return None if found is None else int(found)

    def reserved_in_all(self, *, but: str = "") -> int:
        with self.stack.responses.request_scope(*self.scope):
            names = list(self.stack.lambda_svc._functions.keys())
        return sum(self.reserved(name) or 0 for name in names if name != but)

    def functions(self) -> list[str]:
        with self.stack.responses.request_scope(*self.scope):
            return sorted(self.stack.lambda_svc._functions.keys())

    def aliases(self, function: str) -> dict[str, Mapping[str, Any]]:
        with self.stack.responses.request_scope(*self.scope):
            return dict((self.stack.lambda_svc._functions.get(function) or {}).get("aliases", {}))


def install(
    stack: Stack, plane: DataPlane, pool: Pool, provisioner: Provisioner, registry: StackRegistry
) -> None:
    """Put this cloud's data plane in the place of ministack's."""
    _invocations(stack, plane, Weights(registry))
    _qualified_references(stack)
    _lifecycle(stack, pool, provisioner)
    _provisioned(stack, provisioner, registry)


def _invocations(stack: Stack, plane: DataPlane, weights: Weights) -> None:
    service = stack.lambda_svc
    theirs = service._execute_function

    def execute(func: dict[str, Any], event: Any) -> dict[str, Any]:
        config = func.get("config") or func
        if not (func.get("code_zip") and str(config.get("Runtime", "")).startswith("python")):
            return dict(theirs(func, event))  # images and other languages: not this cloud's business
        trace_id = service._xray_trace_id_for_invocation(config)
        try:
            outcome = plane.invoke(weights.route(Deployed.of(func)), event, trace_id)
        except ThrottledError as throttled:
            text = f"Rate Exceeded: {config['FunctionName']} is at its concurrency limit"
            return dict(service._throttle_response(reason_code=throttled.reason, msg=text))
        if outcome.failure is not None:
            return {"body": outcome.failure, "error": True, "log": outcome.log}
        return {"body": outcome.payload, "log": outcome.log}

    def measured_already(*_: Any, **__: Any) -> None:
        """Every invocation is measured where it runs, however it came; ministack measures direct ones only."""

    service._execute_function = execute
    service._emit_lambda_metrics = measured_already


def _qualified_references(stack: Stack) -> None:
    """The API, a schedule and a queue name an alias; ministack hands on only the version behind it."""
    service = stack.lambda_svc
    theirs = service._get_func_record_for_ref

    def find(reference: str) -> tuple[Any, Any, str]:
        record, config, name = theirs(reference)
        _, qualifier = service._resolve_name_and_qualifier(reference)
        if config and qualifier:
            config = {**config, "FunctionArn": f"{service._func_arn(name)}:{qualifier}"}
        return record, config, name

    service._get_func_record_for_ref = find


def _lifecycle(stack: Stack, pool: Pool, provisioner: Provisioner) -> None:
    service = stack.lambda_svc
    move_alias, drop_alias, clear = service._update_alias, service._delete_alias, service.reset

    def invalidate(function: str, qualifier: str | None = None, **_: Any) -> None:
        """Code or configuration changed, or the function or a version is gone."""
        if qualifier is None:
            provisioner.forget(function)
        pool.retire(pool.of(function, qualifier))

    def update_alias(function: str, alias: str, data: Any) -> Any:
        answer = move_alias(function, alias, data)
        if answer[0] == 200 and provisioner.wish(function, alias):
            provisioner.reconcile(function, alias)
        return answer

    def delete_alias(function: str, alias: str) -> Any:
        answer = drop_alias(function, alias)
        if answer[0] == 204:
            provisioner.delete(function, alias)
        return answer

    def reset() -> None:
        """`/_ministack/reset` forgets every function."""
        clear()
        provisioner.forget_all()
        pool.retire(pool.of())

    service.invalidate_worker, service.reset = invalidate, reset
    service._update_alias, service._delete_alias = update_alias, delete_alias


def _provisioned(stack: Stack, provisioner: Provisioner, registry: StackRegistry) -> None:
    service = stack.lambda_svc
    limits = service._get_account_settings
    known = service._get_provisioned_concurrency  # answers 404 where the function or the qualifier is unknown

    def get(function: str, qualifier: str) -> Any:
        if provisioner.wish(function, qualifier) and registry.deployed(function, qualifier):
            return service.json_response(provisioner.standing(function, qualifier))
        return known(function, qualifier)

    def put(function: str, qualifier: str, data: Mapping[str, Any]) -> Any:
        missing = known(function, qualifier)
        if missing[0] == 404 and b"ProvisionedConcurrencyConfigNotFound" not in _body(missing):
            return missing
        requested = data.get("ProvisionedConcurrentExecutions", 0)
        if problem := _refusal(provisioner, registry, function, qualifier, requested):
            return service.error_response_json("InvalidParameterValueException", problem, 400)
        provisioner.put(function, qualifier, int(requested))
        return service.json_response(provisioner.standing(function, qualifier), 202)

    def account_settings() -> Any:
        service._ACCOUNT_CONCURRENCY_CAP = provisioner.settings.value.account_concurrency
        return limits()

    def delete(function: str, qualifier: str) -> Any:
        if not provisioner.wish(function, qualifier):
            return known(function, qualifier)
        provisioner.delete(function, qualifier)
        return 204, {}, b""

    service._get_provisioned_concurrency = get
    service._put_provisioned_concurrency = put
    service._delete_provisioned_concurrency = delete
    service._get_account_settings = account_settings


def _refusal(
    provisioner: Provisioner, registry: StackRegistry, function: str, qualifier: str, requested: Any
) -> str:
    """Why Lambda would not take this number, empty where it would."""
    if qualifier in (None, "", "$LATEST"):
        return "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    if not isinstance(requested, int) or requested < 1:
        return "ProvisionedConcurrentExecutions must be at least 1"
    if (registry.aliases(function).get(qualifier) or {}).get("RoutingConfig"):
        return "Alias with weights can not be used with Provisioned Concurrency"
    reserved, others = registry.reserved(function), provisioner.requested_of(function, but=qualifier)
    if reserved is not None and requested + others > reserved:
        return (
            f"Requested Provisioned Concurrency should not be greater than the "
            f"reservedConcurrentExecution for function [{reserved}]"
        )
    account = provisioner.settings.value.account_concurrency
    left = account - _UNRESERVABLE - registry.reserved_in_all() - others
    if reserved is None and requested > left:
        return (
            f"Specified ConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{_UNRESERVABLE}]"
        )
    return ""


def _body(answer: Any) -> bytes:
    return answer[2] if isinstance(answer[2], bytes) else str(answer[2]).encode()

"""What runs inside an execution environment: loads a handler, then serves one event after another.

Started by path with the bare interpreter (`-I -S -B`), so it imports the standard library only and can see
no package but the function's own, its layers' and the few that Lambda's runtime carries. Messages are a
length (4 bytes, big-endian) and that much JSON, over two descriptors handed down; all that is printed goes
to the log.
"""

import importlib
import json
import logging
import os
import resource
import site
import sys
import time
import traceback
from typing import Any

Failure = dict[str, Any]


class Context:
    """What a handler is told of its invocation; the names are Lambda's."""

    identity = None
    client_context = None

    def __init__(self, request: dict[str, Any]) -> None:
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = request["arn"]
        self.aws_request_id = request["id"]
        self._deadline_ms = request["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        return max(int(self._deadline_ms - time.time() * 1000), 0)


class _RequestId(logging.Filter):
    """Puts the request's id into every log record, as Lambda's own handler does."""

    current = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.current
        return True


def main(requests: int, answers: int) -> None:
    """Serve until the other end closes."""
    _prepare_path()
    request_id = _prepare_logging()
    handler, failure = _load(os.environ["_HANDLER"])
    if failure:
        _report(failure)
        _send(answers, {"status": "failed", "error": failure, "memory_mb": _memory_mb()})
        return
    _send(answers, {"status": "ready", "memory_mb": _memory_mb()})
    while (request := _receive(requests)) is not None:
        request_id.current = request["id"]
        os.environ.pop("_X_AMZN_TRACE_ID", None)
        if request.get("trace_id"):
            os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
        _send(answers, _answer(handler, request))


def _prepare_path() -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    layers, runtime = os.environ["_PREHEAT_OPT"], os.environ["_PREHEAT_RUNTIME"]
    packages = f"{layers}/python/lib/{version}/site-packages"
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], f"{layers}/python"]
    if os.path.isdir(packages):  # noqa: PTH112 - pathlib would be on every cold start's path
        site.addsitedir(packages)
        sys.path.remove(packages)
        sys.path.insert(1, packages)
    sys.path.append(runtime)
    for name in [name for name in os.environ if name.startswith("_PREHEAT_")]:
        del os.environ[name]


def _prepare_logging() -> _RequestId:
    tag = _RequestId()
    output = logging.StreamHandler(sys.stdout)
    form = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    form.converter = time.gmtime
    output.setFormatter(form)
    output.addFilter(tag)
    logging.getLogger().addHandler(output)
    return tag


def _load(name: str) -> tuple[Any, Failure | None]:
    module, _, attribute = name.rpartition(".")
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        return None, _failure(
            error, "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}"
        )
    except SyntaxError as error:
        return None, _failure(
            error, "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}"
        )
    except Exception as error:
        return None, _failure(error)
    try:
        return getattr(loaded, attribute), None
    except AttributeError as error:
        return None, _failure(
            error, "Runtime.HandlerNotFound", f"Handler '{attribute}' missing on module '{module}'"
        )


def _answer(handler: Any, request: dict[str, Any]) -> dict[str, Any]:
    try:
        result = handler(request["event"], Context(request))
    except Exception as error:
        failure = _failure(error)
        _report(failure)
        return {"status": "error", "error": failure | {"requestId": request["id"]}, "memory_mb": _memory_mb()}
    try:
        text = json.dumps(result, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        failure = _failure(error, "Runtime.MarshalError", f"Unable to marshal response: {error}")
        _report(failure)
        return {"status": "error", "error": failure | {"requestId": request["id"]}, "memory_mb": _memory_mb()}
    return {"status": "ok", "text": text, "memory_mb": _memory_mb()}


def _plain(value: Any) -> Any:
    if type(value).__name__ == "Decimal":  # by name: importing decimal would be on every cold start's path
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _failure(error: BaseException, kind: str = "", text: str = "") -> Failure:
    frames = traceback.format_tb(error.__traceback__)
    own = [frame for frame in frames if __file__ not in frame and "importlib" not in frame]
    return {"errorMessage": text or str(error), "errorType": kind or type(error).__name__, "stackTrace": own}


def _report(failure: Failure) -> None:
    """The error as Lambda's runtime prints it; carriage returns keep it one event of the log."""
    lines = [
        f"[ERROR] {failure['errorType']}: {failure['errorMessage']}",
        "Traceback (most recent call last):",
    ]
    text = "\n".join([*lines, *(frame.rstrip("\n") for frame in failure["stackTrace"])])
    print(text.replace("\n", "\r"))  # noqa: T201


def _memory_mb() -> int:
    """The most memory this process has held. Linux's ru_maxrss begins with what the cloud held as it started us."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would be on every cold start's path
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) // 1024 + 1
    except OSError:
        pass
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20) + 1
    )  # bytes where there is no /proc


def _receive(descriptor: int) -> Any:
    head = _read(descriptor, 4)
    return json.loads(_read(descriptor, int.from_bytes(head, "big"))) if len(head) == 4 else None


def _read(descriptor: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (part := os.read(descriptor, size - len(data))):
        data += part
    return bytes(data)


def _send(descriptor: int, message: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    body = json.dumps(message).encode()
    data = memoryview(len(body).to_bytes(4, "big") + body)
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

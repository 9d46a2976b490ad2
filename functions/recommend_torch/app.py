"""The contract of `recommend`, answered by torch. The API has it below /torch, beside the other."""

from preheat import ModelHost, answers_pings, inference_protocol

HOST = ModelHost.from_packs("models", beside=("recommendations",))

from recommendations import resolver  # noqa: E402  (imported by now, beside the models rather than before them)

API = resolver(HOST)
PREFIX = "/torch"


def below_prefix(handler):
    """Routes are those of `recommend`: what the API puts before them is taken off."""

    def without_prefix(event, context):
        if isinstance(event, dict) and str(event.get("path", "")).startswith(f"{PREFIX}/"):
            event = event | {"path": event["path"].removeprefix(PREFIX)}
        return handler(event, context)

    return without_prefix


@answers_pings(HOST)
@below_prefix
@inference_protocol(HOST)
def handler(event, context):
    return API.resolve(event, context)

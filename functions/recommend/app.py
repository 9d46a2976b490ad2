"""Five recommenders behind one API: `POST /recommend/{model}`, `GET /models` and the Open Inference Protocol."""

from preheat import ModelHost, answers_pings, inference_protocol

HOST = ModelHost.from_packs("models", beside=("recommendations",))

from recommendations import resolver  # noqa: E402  (imported by now, beside the models rather than before them)

API = resolver(HOST)


@answers_pings(HOST)
@inference_protocol(HOST)
def handler(event, context):
    return API.resolve(event, context)

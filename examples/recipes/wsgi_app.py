"""A WSGI application whose workers share one model's memory:

    pip install nerfit gunicorn
    NERFIT_MODEL=runs/alarm/best gunicorn --preload --workers 4 wsgi_app:app

With --preload the model is loaded once, and the workers are its children: its weights are in memory
once. After a fork a worker computes on one thread, so let there be as many workers as cores.
"""

import json
import os

import nerfit

model = nerfit.load(os.environ["NERFIT_MODEL"])


def app(environ, start_response):
    try:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        texts = json.loads(environ["wsgi.input"].read(size))["texts"]
        found = [[entity._asdict() for entity in entities] for entities in model.predict(texts)]
        status, answer = "200 OK", {"entities": found, "worker": os.getpid()}
    except (ValueError, KeyError, TypeError) as reason:  # NerfitErrors of arguments are ValueErrors
        status, answer = "400 Bad Request", {"error": str(reason)}
    body = json.dumps(answer, ensure_ascii=False).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

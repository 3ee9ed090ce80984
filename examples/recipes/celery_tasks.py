"""Texts from a queue:

    pip install nerfit celery
    NERFIT_MODEL=runs/alarm/best celery -A celery_tasks worker --concurrency 4

The model is loaded before the workers are forked, and its weights are in memory once; each worker
computes on one thread. CELERY_BROKER_URL and CELERY_RESULT_BACKEND say where the queue is.
"""

import os

import nerfit
from celery import Celery
from celery.signals import worker_init

app = Celery("nerfit", broker=os.environ.get("CELERY_BROKER_URL", "amqp://localhost"))
app.conf.result_backend = os.environ.get("CELERY_RESULT_BACKEND", "rpc://")
app.conf.task_acks_late = True  # a task of a worker that was killed is done by another

_model = None


def model():
    global _model
    if _model is None:
        _model = nerfit.load(os.environ["NERFIT_MODEL"])
    return _model


@worker_init.connect
def load(**_):
    model()  # in the parent, before it forks


@app.task
def tag(texts):
    """[{"start", "end", "label", "text", "score"}, ...] for every text."""
    return [[entity._asdict() for entity in entities] for entities in model().predict(texts)]

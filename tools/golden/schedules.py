"""Learning-rate factors of transformers' schedules. Usage: schedules.py OUT_FILE"""
import json
import sys

import torch
import transformers
from transformers import get_scheduler

CASES = [("linear", 5, 30, {}), ("linear", 0, 7, {}), ("cosine", 5, 30, {}),
         ("cosine", 3, 20, {"num_cycles": 1.25}), ("cosine_with_restarts", 4, 30, {}),
         ("cosine_with_restarts", 4, 30, {"num_cycles": 3}), ("polynomial", 5, 25, {}),
         ("polynomial", 5, 25, {"power": 2.0, "lr_end": 1e-4}), ("constant", 5, 10, {}),
         ("constant_with_warmup", 5, 10, {}), ("inverse_sqrt", 5, 40, {}),
         ("inverse_sqrt", 0, 40, {}), ("inverse_sqrt", 5, 40, {"timescale": 12})]


def factors(name, warmup, total, kwargs, rate=0.01):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    schedule = get_scheduler(name, optimizer, warmup, total, scheduler_specific_kwargs=kwargs)
    values = []
    for _ in range(total + 3):
        values.append(schedule.get_last_lr()[0] / rate)
        optimizer.step()
        schedule.step()
    return values


if __name__ == "__main__":
    cases = [{"name": n, "warmup": w, "total": t, "kwargs": k, "factors": factors(n, w, t, k)}
             for n, w, t, k in CASES]
    with open(sys.argv[1], "w") as out:
        json.dump({"versions": {"torch": torch.__version__,
                                "transformers": transformers.__version__},
                   "initial_rate": 0.01, "cases": cases}, out)

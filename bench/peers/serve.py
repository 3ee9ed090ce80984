#!/usr/bin/env python3
"""The peer of bench/serving.py: FastAPI over transformers' pipeline, as its documentation has it.

    serve.py MODEL PORT THREADS       needs fastapi, uvicorn, torch, transformers
"""
import sys

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

torch.set_num_threads(int(sys.argv[3]))
tagger = pipeline("token-classification", model=sys.argv[1], aggregation_strategy="first")
app = FastAPI()


class Request(BaseModel):
    inputs: str


@app.post("/predict")
def predict(request: Request):
    return [{"start": int(e["start"]), "end": int(e["end"]), "label": e["entity_group"], "text": e["word"],
             "score": float(e["score"])} for e in tagger(request.inputs)]


@app.get("/health")
def health():
    return {}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")

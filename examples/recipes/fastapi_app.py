"""A service of one's own around a model:

    pip install nerfit fastapi uvicorn
    NERFIT_MODEL=runs/alarm/best uvicorn fastapi_app:app

`nerfit serve` answers the same without Python; this is for whoever has an application already.
"""

import os
from contextlib import asynccontextmanager
from typing import Optional

import nerfit
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel


class Entity(BaseModel):  # a NamedTuple would be sent as an array
    start: int
    end: int
    label: str
    text: str
    score: float


class Texts(BaseModel):
    texts: list[str]
    threshold: Optional[float] = None


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.model = nerfit.load(os.environ["NERFIT_MODEL"])
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/tag")
async def tag(given: Texts) -> list[list[Entity]]:
    try:
        found = await app.state.model.predict_async(given.texts, given.threshold)
    except nerfit.errors.ArgumentError as reason:
        raise HTTPException(422, str(reason)) from None
    return [[Entity(**entity._asdict()) for entity in entities] for entities in found]

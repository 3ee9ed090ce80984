"""A tool that an agent may call, and a link of a chain:

    pip install nerfit langchain-core

    tool = entity_tool(nerfit.load("runs/alarm/best"))
    agent = create_agent(llm, tools=[tool])
    chain = entity_runnable(model) | prompt | llm
"""

import nerfit
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool


def entity_tool(model: nerfit.Model) -> StructuredTool:
    def find_entities(text: str) -> list[dict]:
        return [entity._asdict() for entity in model.predict(text)]

    async def find_entities_async(text: str) -> list[dict]:
        return [entity._asdict() for entity in await model.predict_async(text)]

    return StructuredTool.from_function(
        func=find_entities,
        coroutine=find_entities_async,
        name="find_entities",
        description=f"Finds entities of these types in a text: {', '.join(model.types)}. Gives a list "
        "with start and end (characters), label, text and score (0 to 1) of each.",
    )


def entity_runnable(model: nerfit.Model) -> RunnableLambda:
    """A text becomes {"text", "entities"}; `batch` hands all texts to the model at once."""

    class Tagger(RunnableLambda):
        def batch(self, inputs, config=None, *, return_exceptions=False, **kwargs):
            found = model.predict(inputs)
            return [{"text": t, "entities": [*e]} for t, e in zip(inputs, found)]

    return Tagger(lambda text: {"text": text, "entities": [*model.predict(text)]})

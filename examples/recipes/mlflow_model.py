"""A model in MLflow's format, for its registry, its server and its Spark functions:

    pip install nerfit mlflow pandas

    save("runs/alarm/best", "mlflow-model")
    mlflow.pyfunc.load_model("mlflow-model").predict(pandas.DataFrame({"text": ["wake me at nine"]}))

The model's files go along as an artifact; a run's metrics go to MLflow by report_to="mlflow".
"""

import mlflow.pyfunc
import nerfit
import pandas
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array, Object, Property

_ENTITY = Object(
    [
        Property("start", DataType.long),
        Property("end", DataType.long),
        Property("label", DataType.string),
        Property("text", DataType.string),
        Property("score", DataType.double),
    ]
)
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string, "text")]),
    outputs=Schema([ColSpec(Array(_ENTITY), "entities")]),
    params=None,
)


class Tagger(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.model = nerfit.load(context.artifacts["model"])

    def predict(self, context, model_input, params=None):
        found = self.model.predict(list(model_input["text"]))
        return pandas.DataFrame(
            {"entities": [[entity._asdict() for entity in entities] for entities in found]}
        )


def save(folder, path):
    """folder: a model's; path: where MLflow's is to be."""
    mlflow.pyfunc.save_model(
        path=path,
        python_model=Tagger(),
        artifacts={"model": str(folder)},
        signature=SIGNATURE,
        pip_requirements=[f"nerfit=={nerfit.__version__}", "pandas"],
    )

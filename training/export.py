"""The weights as the model that the project runs: `python -m training.export OUT/line.pt line.onnx`."""

import sys

import numpy as np
import onnxruntime
import torch

from activities.ai.tasks.ocr.reader import ROWS
from training.network import loaded


def main(weights: str, out: str) -> None:
    """Raises AssertionError where the two do not answer the same."""
    reader = loaded(weights).eval()
    strips = torch.randn(2, 1, ROWS, 320)
    torch.onnx.export(
        reader,
        (strips,),
        out,
        input_names=["strip"],
        output_names=["logits"],
        dynamic_axes={"strip": {0: "n", 3: "width"}, "logits": {0: "n", 2: "steps"}},
        opset_version=17,
        dynamo=False,
    )
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = reader(strips).numpy()
    assert np.allclose(session.run(None, {"strip": strips.numpy()})[0], expected, atol=1e-2)


if __name__ == "__main__":
    main(*sys.argv[1:])

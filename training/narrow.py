"""The exported model in eight bits where it computes most: `python -m training.narrow float.onnx line.onnx`.

A pointwise convolution of many channels is a product of matrices. As such its weights are kept in seven bits,
and its input is rounded to eight as it comes, by the range that it has.
"""

import sys
from collections.abc import Iterator

import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

LEAST = 112  # channels; with fewer, turning them to and fro costs what is gained


def main(exported: str, out: str) -> None:
    model = onnx.load(exported)
    graph = model.graph
    weights = {each.name: each for each in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Conv" and _is_large_and_pointwise(weights[node.input[1]]):
            nodes += _as_product(graph, node, weights[node.input[1]])
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    shape = graph.output[0].type.tensor_type.shape.dim
    letters = shape[1].dim_value
    shape[1].dim_param, shape[2].dim_value = "steps", letters
    used = {name for node in nodes for name in node.input}
    kept = [each for each in graph.initializer if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    quantize_dynamic(
        model,
        out,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        reduce_range=True,  # eight times eight bits overflow in processors without VNNI
    )


def _is_large_and_pointwise(weight: TensorProto) -> bool:
    _, channels, *size = weight.dims
    return channels >= LEAST and set(size) == {1}


def _as_product(graph: GraphProto, node: NodeProto, weight: TensorProto) -> Iterator[NodeProto]:
    """Channels last, times the weights, plus the bias; and back, but for what the reader gets: it wants each
    step's letters together."""
    dimensions, name = len(weight.dims), node.name
    matrix = numpy_helper.to_array(weight).reshape(weight.dims[:2]).T
    graph.initializer.append(numpy_helper.from_array(matrix.copy(), f"{name}/matrix"))
    is_last = node.output[0] == graph.output[0].name
    out = node.output[0] if is_last else f"{name}/out"
    forth, back = [0, *range(2, dimensions), 1], [0, dimensions - 1, *range(1, dimensions - 1)]
    yield helper.make_node("Transpose", [node.input[0]], [f"{name}/in"], perm=forth)
    yield helper.make_node("MatMul", [f"{name}/in", f"{name}/matrix"], [f"{name}/product"])
    yield helper.make_node("Add", [f"{name}/product", node.input[2]], [out])
    if not is_last:
        yield helper.make_node("Transpose", [out], [node.output[0]], perm=back)


if __name__ == "__main__":
    main(*sys.argv[1:])

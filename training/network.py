"""The network: convolutions down to one row, three mixers over time, a letter for every fourth column."""

import torch
from torch import Tensor, nn

from activities.ai.tasks.ocr.letters import LETTERS

CHANNELS = (32, 64, 112, 208, 320)
MIXERS, REACH = 3, 11


def _convolution(
    given: int, out: int, size: tuple[int, int], stride: tuple[int, int] = (1, 1), groups: int = 1
) -> nn.Sequential:
    padding = size[0] // 2, size[1] // 2
    layer = nn.Conv2d(given, out, size, stride, padding, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out), nn.Hardswish())


class Separable(nn.Module):
    def __init__(self, given: int, out: int, stride: tuple[int, int] = (1, 1), size: int = 3) -> None:
        super().__init__()
        self.adds = stride == (1, 1) and given == out
        depth = _convolution(given, given, (size, size), stride, given)
        self.f = nn.Sequential(*depth, *_convolution(given, out, (1, 1)))

    def forward(self, x: Tensor) -> Tensor:
        y = self.f(x)
        return x + y if self.adds else y


class Mixer(nn.Module):
    """Depthwise over time, then a pointwise bottleneck, as in ConvNeXt."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dw = nn.Conv1d(channels, channels, REACH, padding=REACH // 2, groups=channels, bias=False)
        self.bn = nn.BatchNorm1d(channels)
        self.a = nn.Conv1d(channels, 2 * channels, 1)
        self.b = nn.Conv1d(2 * channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm1d(channels)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bn2(self.b(self.act(self.a(self.bn(self.dw(x))))))


class Reader(nn.Module):
    """n × 1 × 40 × width to n × letters × width / 4. Names of its parts are those in `line.pt`."""

    def __init__(self) -> None:
        super().__init__()
        c = CHANNELS
        self.stem = _convolution(1, c[0], (3, 3), (2, 2))
        self.body = nn.Sequential(
            *(Separable(c[0], c[1]), Separable(c[1], c[2], (2, 2)), Separable(c[2], c[2])),
            *(Separable(c[2], c[2]), Separable(c[2], c[3], (2, 1))),
            *(Separable(c[3], c[3], size=5) for _ in range(3)),
        )
        self.fall = nn.Sequential(
            nn.Conv2d(c[3], c[3], (5, 3), 1, (0, 1), groups=c[3], bias=False),
            nn.BatchNorm2d(c[3]),
            nn.Conv2d(c[3], c[4], 1, bias=False),
            nn.BatchNorm2d(c[4]),
            nn.Hardswish(),
        )
        self.mix = nn.Sequential(*(Mixer(c[4]) for _ in range(MIXERS)))
        self.drop = nn.Dropout(0.1)
        self.head = nn.Conv1d(c[4], len(LETTERS), 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fall(self.body(self.stem(x))).squeeze(2)
        return self.head(self.drop(self.mix(y)))


def loaded(path: str) -> Reader:
    """Raises RuntimeError where the weights are another network's."""
    reader = Reader()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    reader.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    return reader

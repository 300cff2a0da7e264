"""The architectures of the benchmarks as PyTorch modules, up to the pooled features.

MobileNetV2, ResNet50 and InceptionV3 follow keras.applications: channels, strides (ResNet50 strides in
its first 1x1), biases. Padding stands in the convolution, as PyTorch models have it, also where Keras
pads one side only. ViT-B/16 is that of Dosovitskiy et al. 2021. Weights are random."""

import torch
from torch import nn
from torch.nn import functional as F


def conv_bn(cin, cout, kernel, *, stride=1, padding=None, groups=1, bias=False, act=nn.ReLU):
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = tuple(k // 2 for k in kernel) if padding is None else padding
    parts = [
        nn.Conv2d(cin, cout, kernel, stride, padding, groups=groups, bias=bias),
        nn.BatchNorm2d(cout, eps=1e-3),
    ]
    return nn.Sequential(*parts, *([] if act is None else [act(inplace=True)]))


class Residual(nn.Module):
    """`body` and, where there is one, `shortcut`, added and passed through `after`."""

    def __init__(self, body, shortcut=None, after=None):
        super().__init__()
        self.body, self.shortcut, self.after = body, shortcut or nn.Identity(), after or nn.Identity()

    def forward(self, x):
        return self.after(self.shortcut(x) + self.body(x))


class Branches(nn.Module):
    """Branches of one input, joined along the channels."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def pooled(*layers):
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


# Expansion, channels, blocks, stride of the first block.
MOBILENET_V2 = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


def mobilenet_v2():
    layers = [conv_bn(3, 32, 3, stride=2, act=nn.ReLU6)]
    cin = 32
    for expansion, cout, blocks, first in MOBILENET_V2:
        for stride in [first] + [1] * (blocks - 1):
            wide = cin * expansion
            body = [
                *([conv_bn(cin, wide, 1, act=nn.ReLU6)] if expansion > 1 else []),
                conv_bn(wide, wide, 3, stride=stride, groups=wide, act=nn.ReLU6),
                conv_bn(wide, cout, 1, act=None),
            ]
            block = nn.Sequential(*body)
            layers.append(Residual(block) if stride == 1 and cin == cout else block)
            cin = cout
    return pooled(*layers, conv_bn(cin, 1280, 1, act=nn.ReLU6))


def resnet50():
    layers = [conv_bn(3, 64, 7, stride=2, bias=True), nn.MaxPool2d(3, 2, 1)]
    cin = 64
    for width, blocks, first in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for index in range(blocks):
            stride = first if index == 0 else 1
            body = nn.Sequential(
                conv_bn(cin, width, 1, stride=stride, bias=True),
                conv_bn(width, width, 3, bias=True),
                conv_bn(width, 4 * width, 1, bias=True, act=None),
            )
            shortcut = conv_bn(cin, 4 * width, 1, stride=stride, bias=True, act=None)
            layers.append(Residual(body, shortcut if index == 0 else None, nn.ReLU(inplace=True)))
            cin = 4 * width
    return pooled(*layers)


def chain(*channels_and_kernels, stride=1):
    """Convolutions one after another: channels, then (channels, kernel) pairs; the last one may stride."""
    cin, *rest = channels_and_kernels
    layers = []
    for index, (cout, kernel) in enumerate(rest):
        strides = stride > 1 and index == len(rest) - 1
        layers.append(conv_bn(cin, cout, kernel, **({"stride": stride, "padding": 0} if strides else {})))
        cin = cout
    return nn.Sequential(*layers)


def average(cin, cout):
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return nn.Sequential(pool, conv_bn(cin, cout, 1))


def inception_square(cin, pool):
    return Branches(
        chain(cin, (64, 1)),
        chain(cin, (48, 1), (64, 5)),
        chain(cin, (64, 1), (96, 3), (96, 3)),
        average(cin, pool),
    )


def inception_long(c):
    row, column = (1, 7), (7, 1)
    return Branches(
        chain(768, (192, 1)),
        chain(768, (c, 1), (c, row), (192, column)),
        chain(768, (c, 1), (c, column), (c, row), (c, column), (192, row)),
        average(768, 192),
    )


def inception_wide(cin):
    split = lambda: Branches(chain(384, (384, (1, 3))), chain(384, (384, (3, 1))))
    return Branches(
        chain(cin, (320, 1)),
        nn.Sequential(chain(cin, (384, 1)), split()),
        nn.Sequential(chain(cin, (448, 1), (384, 3)), split()),
        average(cin, 192),
    )


def inception_v3():
    return pooled(
        conv_bn(3, 32, 3, stride=2, padding=0),
        conv_bn(32, 32, 3, padding=0),
        conv_bn(32, 64, 3),
        nn.MaxPool2d(3, 2),
        conv_bn(64, 80, 1),
        conv_bn(80, 192, 3, padding=0),
        nn.MaxPool2d(3, 2),
        inception_square(192, 32),
        inception_square(256, 64),
        inception_square(288, 64),
        Branches(
            chain(288, (384, 3), stride=2),
            chain(288, (64, 1), (96, 3), (96, 3), stride=2),
            nn.MaxPool2d(3, 2),
        ),
        inception_long(128),
        inception_long(160),
        inception_long(160),
        inception_long(192),
        Branches(
            chain(768, (192, 1), (320, 3), stride=2),
            chain(768, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3), stride=2),
            nn.MaxPool2d(3, 2),
        ),
        inception_wide(1280),
        inception_wide(2048),
    )


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, self.size)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class VisionTransformer(nn.Module):
    """The class token after the last normalisation."""

    def __init__(self, side=224, patch=16, width=768, depth=12, heads=12):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, (side // patch) ** 2 + 1, width) * 0.02)
        norm = lambda: nn.LayerNorm(width, eps=1e-6)
        mlp = lambda: [nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)]
        self.blocks = nn.Sequential(
            *(
                layer
                for _ in range(depth)
                for layer in (
                    Residual(nn.Sequential(norm(), Attention(width, heads))),
                    Residual(nn.Sequential(norm(), *mlp())),
                )
            )
        )
        self.norm = norm()

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.norm(self.blocks(x))[:, 0]


BUILDERS = {
    "mobilenet_v2": mobilenet_v2,
    "inception_v3": inception_v3,
    "resnet50": resnet50,
    "vit_b16": VisionTransformer,
}


def build(model):
    """The module in inference mode, with random weights that keep activations in a usual range."""
    torch.manual_seed(1)
    module = BUILDERS[model]()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return module.eval()

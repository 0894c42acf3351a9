"""The worked examples of the course slides."""

import pytest

from cnn_jax.layers.geometry import Convolution, FullyConnected, Pooling, follow, output_size


def test_ten_5x5_filters_on_32x32x3():
    (layer,) = follow((32, 32, 3), [Convolution(10, 5, stride=1, padding=2)])
    assert layer.output == (32, 32, 10)
    assert layer.parameters == 760
    assert layer.macs == 32 * 32 * 750


def test_six_5x5_filters_on_32x32x3():
    (layer,) = follow((32, 32, 3), [Convolution(6, 5)])
    assert layer.output == (28, 28, 6)
    assert layer.parameters == 6 * (75 + 1) == 456


def test_a_3x3_filter_on_7x7():
    assert output_size(7, 3, 1, rounding="exact") == 5
    assert output_size(7, 3, 2, rounding="exact") == 3
    with pytest.raises(ValueError, match="cannot apply a 3x3 filter on a 7x7 input with stride 3"):
        output_size(7, 3, 3, rounding="exact")
    assert output_size(7, 3, 1, padding=1) == 7


def test_80x120x1_down_to_4800_features():
    stack = [
        Convolution(8, 5, padding=2),
        Pooling(2),
        Convolution(16, 5, padding=2),
        Pooling(2),
        Convolution(32, 5, padding=2),
        Pooling(2),
        FullyConnected(10),
    ]
    layers = follow((80, 120, 1), stack)
    assert [layer.output for layer in layers[1::2]] == [(40, 60, 8), (20, 30, 16), (10, 15, 32)]
    assert layers[-1].parameters == 4800 * 10 + 10
    assert layers[-1].receptive_field == (80, 120)


def test_lenet5():
    stack = [
        Convolution(6, 5),
        Pooling(2),
        Convolution(16, 5),
        Pooling(2),
        FullyConnected(120),
        FullyConnected(84),
        FullyConnected(10),
    ]
    layers = follow((32, 32, 1), stack)
    assert sum(layer.parameters for layer in layers) == 61_706
    assert sum(layer.macs for layer in layers) == 416_520


def test_two_groups_of_alexnet():
    stack = [Convolution(96, 11, 4), Pooling(3, 2), Convolution(256, 5, padding=2, groups=2)]
    layers = follow((227, 227, 3), stack)
    assert layers[-1].output == (27, 27, 256)
    assert layers[-1].parameters == 307_456
    assert layers[-1].macs == 223_948_800
    assert follow((224, 224, 3), [Convolution(96, 11, 4, rounding="ceil")])[0].output[0] == 55


def test_receptive_fields_and_strides():
    three_3x3 = follow((32, 32, 1), [Convolution(1, 3)] * 3)
    assert [layer.receptive_field[0] for layer in three_3x3] == [3, 5, 7]
    pool5_of_alexnet = follow(
        (227, 227, 3),
        [
            Convolution(96, 11, 4),
            Pooling(3, 2),
            Convolution(256, 5, padding=2),
            Pooling(3, 2),
            *[Convolution(384, 3, padding=1)] * 3,
            Pooling(3, 2),
        ],
    )[-1]
    assert pool5_of_alexnet.receptive_field == (195, 195)
    assert pool5_of_alexnet.stride == (32, 32)
    (dilated,) = follow((9, 9, 1), [Convolution(1, (3, 1), dilation=2)])
    assert dilated.receptive_field == (5, 1)


def test_groups_that_do_not_divide():
    with pytest.raises(ValueError, match="3 groups must divide the 4 channels"):
        follow((9, 9, 4), [Convolution(6, 3, groups=3)])

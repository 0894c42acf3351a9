"""The layers once more, as plain loops in numpy float64."""

from itertools import product

import numpy as np


def convolution(x, kernel, strides, borders, dilation, groups):
    (top, bottom), (left, right) = borders
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    kh, kw, inputs, outputs = kernel.shape
    height = (x.shape[1] - (kh - 1) * dilation[0] - 1) // strides[0] + 1
    width = (x.shape[2] - (kw - 1) * dilation[1] - 1) // strides[1] + 1
    y = np.zeros((x.shape[0], height, width, outputs))
    for row, column, output in product(range(height), range(width), range(outputs)):
        first = output // (outputs // groups) * inputs
        for i, j, c in product(range(kh), range(kw), range(inputs)):
            pixel = x[:, row * strides[0] + i * dilation[0], column * strides[1] + j * dilation[1]]
            y[:, row, column, output] += pixel[:, first + c] * kernel[i, j, c, output]
    return y


def windows(length, window, stride, low, high, rounding):
    """First pixels of the windows along one direction, negative in the padding."""
    starts = [0 - low]
    while starts[-1] + stride + window <= length + high:
        starts.append(starts[-1] + stride)
    if rounding == "ceil" and starts[-1] + window < length + high and starts[-1] + stride < length:
        starts.append(starts[-1] + stride)
    return starts


def pooling(x, window, strides, borders, rounding, reduce):
    """`reduce(values of a window in the image, clipped extent, whole extent)` at each position."""
    rows, columns = (
        windows(x.shape[1 + a], window[a], strides[a], *borders[a], rounding) for a in range(2)
    )
    y = np.zeros((x.shape[0], len(rows), len(columns), x.shape[3]))
    ends = [x.shape[1 + a] + borders[a][1] for a in range(2)]
    for (i, row), (j, column) in product(enumerate(rows), enumerate(columns)):
        seen = x[:, max(row, 0) : row + window[0], max(column, 0) : column + window[1]]
        clipped = (min(row + window[0], ends[0]) - row) * (
            min(column + window[1], ends[1]) - column
        )
        y[:, i, j] = reduce(seen, clipped, window[0] * window[1])
    return y


def maximum(seen, clipped, whole):
    return seen.max((1, 2))


AVERAGES = {
    "valid": lambda seen, clipped, whole: seen.mean((1, 2)),
    "padded": lambda seen, clipped, whole: seen.sum((1, 2)) / whole,
    "caffe": lambda seen, clipped, whole: seen.sum((1, 2)) / clipped,
}


def batch_norm(x, scale, bias, epsilon):
    flat = x.reshape(-1, x.shape[-1])
    mean, var = flat.mean(0), flat.var(0)
    return (x - mean) / np.sqrt(var + epsilon) * scale + bias, mean, var


def local_response_norm(x, size, k, weight, beta):
    y = np.zeros_like(x)
    for channel in range(x.shape[-1]):
        near = x[..., max(channel - size // 2, 0) : channel + size // 2 + 1]
        y[..., channel] = x[..., channel] / (k + weight * (near**2).sum(-1)) ** beta
    return y


def locally_connected(x, kernel, bias, strides, padding):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    height, width, kh, kw, _, outputs = kernel.shape
    y = np.zeros((x.shape[0], height, width, outputs))
    for row, column, output in product(range(height), range(width), range(outputs)):
        top, left = row * strides, column * strides
        patch = x[:, top : top + kh, left : left + kw]
        y[:, row, column, output] = (patch * kernel[row, column, ..., output]).sum((1, 2, 3))
    return y + bias


def spatial_pyramid(x, levels, reduce):
    features = []
    for level in levels:
        for i, j in product(range(level), repeat=2):
            top, bottom = np.floor(i * x.shape[1] / level), np.ceil((i + 1) * x.shape[1] / level)
            left, right = np.floor(j * x.shape[2] / level), np.ceil((j + 1) * x.shape[2] / level)
            features.append(reduce(x[:, int(top) : int(bottom), int(left) : int(right)], (1, 2)))
    return np.concatenate(features, -1)

"""Layers of the classic convolutional networks, one idea a file, images as NHWC."""

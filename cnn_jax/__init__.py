"""cnn_jax: train, reproduce, ablate and understand the classic convolutional networks in JAX."""

__version__ = "0.1.0"

"""What a trained network sees: filters, maps, patches, explanations, as numbers and pictures.

Everything here works on images as pixels in [0, 255]; the network's own preprocessing stands inside
the functions, so that gradients, bounds and baselines are those of pixels.
"""

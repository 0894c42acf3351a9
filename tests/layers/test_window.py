import pytest

from cnn_jax.layers.window import fit_window, pair


def test_the_slides_example_fits_at_strides_1_and_2_and_not_at_3():
    sizes = [fit_window((7, 7), (3, 3), (s, s), rounding="exact")[0] for s in (1, 2)]
    assert sizes == [(5, 5), (3, 3)]
    with pytest.raises(ValueError, match="cannot apply a 3x3 filter on a 7x7 input with stride 3"):
        fit_window((7, 7), (3, 3), (3, 3), rounding="exact")


@pytest.mark.parametrize("rounding", ["floor", "ceil", "exact"])
def test_a_window_larger_than_the_padded_image_never_fits(rounding):
    with pytest.raises(ValueError, match=r"cannot apply a 5x5 filter on a 2x7 input.*padding 1.*4"):
        fit_window((2, 7), (5, 5), (1, 1), 1, rounding=rounding)


@pytest.mark.parametrize(
    ("image", "window", "stride", "padding", "floor", "ceil"),
    [
        (224, 11, 4, 0, 54, 55),  # AlexNet, cuda-convnet
        (55, 3, 2, 0, 27, 27),
        (112, 3, 2, 0, 55, 56),  # GoogLeNet
        (6, 3, 2, 1, 3, 4),
        (5, 2, 2, 1, 3, 3),  # the fourth window would start beyond the image
        (2, 1, 3, 0, 1, 1),
    ],
)
def test_rounding(image, window, stride, padding, floor, ceil):
    for rounding, size in (("floor", floor), ("ceil", ceil)):
        output, (rows, _) = fit_window(
            (image, image), (window, window), (stride, stride), padding, rounding=rounding
        )
        assert output == (size, size)
        # What XLA makes of the padding is the size promised.
        assert (image + sum(rows) - window) // stride + 1 == size


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize(("window", "stride", "dilation"), [(3, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_same_padding_gives_ceil_of_size_over_stride(size, window, stride, dilation):
    output, ((low, high), _) = fit_window(
        (size, size), (window, window), (stride, stride), "SAME", (dilation, dilation)
    )
    assert output[0] == -(-size // stride)
    assert high - low in (0, 1)


def test_forms_of_padding():
    def borders(padding):
        return fit_window((9, 9), (3, 3), (1, 1), padding)[1]

    assert borders(1) == borders((1, 1)) == borders(((1, 1), (1, 1))) == borders("same".upper())
    assert borders((1, 2)) == ((1, 1), (2, 2))
    assert borders(((0, 1), (2, 3))) == ((0, 1), (2, 3))
    assert borders("VALID") == ((0, 0), (0, 0))


@pytest.mark.parametrize("padding", [-1, (1, 2, 3), ((1,), (1, 2)), "SMAE", ((0, 0), (0, -1)), 1.5])
def test_bad_padding_is_named(padding):
    with pytest.raises(ValueError, match="padding"):
        fit_window((9, 9), (3, 3), (1, 1), padding)


def test_errors_say_what_is_allowed():
    with pytest.raises(ValueError, match="did you mean 'SAME'"):
        fit_window((9, 9), (3, 3), (1, 1), "SMAE")
    with pytest.raises(ValueError, match="'up': allowed are floor, ceil, exact"):
        fit_window((9, 9), (3, 3), (1, 1), rounding="up")
    with pytest.raises(ValueError, match="strides = 0"):
        pair(0, "strides")
    with pytest.raises(ValueError, match="strides = True"):
        pair(True, "strides")

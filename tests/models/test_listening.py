"""What is heard of a network: its own numbers, by its names; and what goes back, by each rule."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models.backward_rules import RULES
from cnn_jax.models.layer_table import layer_table
from cnn_jax.models.listening import audible, hear
from tests.models.small_networks import FIRST_OF_EACH, Small

CONVNET = {"filters": (3,), "pools": (2,), "hidden_layers": (4,), "kernel_size": 3}
SENT = jnp.asarray(np.random.default_rng(1).standard_normal((2, 5)), jnp.float32)


def drawn(name: str, size: int = 6, positive: bool = False, **kwargs: Any) -> tuple[Any, ...]:
    """A network with random parameters, and two images."""
    model = models.build(name, num_classes=5, **kwargs)
    rng = np.random.default_rng(0)
    images = jnp.asarray(rng.uniform(0, 1, (2, size, size, 3)), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), images)

    def draw(path: Any, leaf: Any) -> jax.Array:
        both = rng.uniform(0.01, 0.1, leaf.shape) if positive else rng.normal(0, 1, leaf.shape)
        values = np.abs(both) if path[0].key == "batch_stats" else both  # of these, a variance
        return jnp.asarray(values, leaf.dtype)

    return model, jax.tree_util.tree_map_with_path(draw, shapes), images


@jax.jit
def by_all_rules(variables: Any, images: jax.Array, sent: jax.Array) -> Any:
    model = models.build("convnet", num_classes=5, **CONVNET)
    names = list(audible(model, variables, images))
    told = {}
    for rule in RULES:
        heard = hear(model, variables, images, names, rule)
        told[rule] = heard.logits, heard.sounds, heard.back(logits=sent)
    plain = model.apply(variables, images, mutable=["taps"])
    heard = hear(model, variables, images, ["fc1"])
    return told, plain, heard.back(after={"fc1": told["gradient"][2].sounds["fc1"].after})


@pytest.fixture(scope="module")
def heard() -> Any:
    _, variables, images = drawn("convnet", **CONVNET)
    return variables, *by_all_rules(variables, images, SENT)


@pytest.mark.parametrize("rule", RULES)
def test_sounds_are_the_taps_and_what_the_rectifiers_make_of_them(rule: str, heard: Any) -> None:
    _, told, (prediction, state), _ = heard
    logits, sounds, _ = told[rule]
    assert (logits == prediction.logits).all(), "bit for bit"
    assert set(sounds) == set(state["taps"]) == {"conv1", "pool1", "fc1", "softmax"}
    for name, sound in sounds.items():
        assert (sound.before == state["taps"][name]).all()
        rectified = name in ("conv1", "fc1")
        assert (sound.after == (jnp.maximum(sound.before, 0) if rectified else sound.before)).all()


def test_signals_at_a_layer_are_gradients_of_the_rest_of_the_network(heard: Any) -> None:
    variables, told, _, again = heard
    _, sounds, back = told["gradient"]
    expected = SENT @ variables["params"]["softmax"]["kernel"].T
    np.testing.assert_allclose(back.sounds["fc1"].after, expected, rtol=1e-5)
    on = sounds["fc1"].before > 0
    np.testing.assert_allclose(back.sounds["fc1"].before, on * expected, rtol=1e-5)
    # What is sent from a layer goes on as what came there from the logits.
    np.testing.assert_allclose(again.images, back.images, rtol=1e-4, atol=1e-5)


def test_each_rule_lets_through_what_it_says(heard: Any) -> None:
    _, told, _, _ = heard
    for rule in ("guided", "deconvnet"):
        _, sounds, back = told[rule]
        for name in ("conv1", "fc1"):
            x, signal = sounds[name].before, back.sounds[name].after
            through = (signal > 0) & ((x > 0) | (rule == "deconvnet"))
            assert (back.sounds[name].before == jnp.where(through, signal, 0)).all()
            assert through.any() and not through.all()


def test_where_all_is_positive_all_rules_are_one() -> None:
    _, variables, images = drawn("convnet", positive=True, **CONVNET)
    told, _, _ = by_all_rules(variables, images, jnp.ones((2, 5)))
    assert float(told["gradient"][2].images.min()) > 0
    for rule in RULES:
        assert (told[rule][2].images == told["gradient"][2].images).all()


def test_the_gradient_of_a_linear_network_is_its_weights() -> None:
    model, variables, images = drawn("linear", size=4)
    (layer,) = variables["params"].values()
    back = hear(model, variables, images).back(logits=jnp.eye(5)[jnp.array([3, 1])])
    assert (back.images.reshape(2, -1) == layer["kernel"].T[jnp.array([3, 1])]).all()


@pytest.mark.slow
def test_the_path_back_may_go_around_lrn() -> None:
    """Then it is that of the net without LRN, whose units are on at the same places."""
    kwargs = {"width": 0.02}
    model, variables, images = drawn("alexnet", 67, positive=True, **kwargs)
    plain = models.build("alexnet", num_classes=5, response_norm=False, **kwargs)

    def back(network: Any, **how: Any) -> Any:
        heard = hear(network, variables, images, **how)
        return heard.logits, heard.back(logits=jnp.ones((2, 5))).images.sum()

    both = jax.jit(lambda: (back(model), back(model, bypass_lrn=True), back(plain)))
    (logits, through), (same, around), (_, without) = both()
    assert (logits == same).all()
    np.testing.assert_allclose(around, without, rtol=1e-3)
    assert abs(float(through / around) - 1) > 0.01


@pytest.mark.slow
def test_residual_blocks_are_heard_where_they_are_rectified() -> None:
    model, variables, images = drawn("cifar_resnet", 8, width=0.25, depth=20)
    names = ["stage1_1/b", "stage1_1/add"]
    heard = jax.jit(lambda v, x: hear(model, v, x, names, "guided").sounds)(variables, images)
    block, inner = heard["stage1_1/add"], heard["stage1_1/b"]
    assert (block.after == jax.nn.relu(block.before)).all() and (block.before < 0).any()
    assert (inner.before == inner.after).all() and (inner.before < 0).any(), "before the sum"


def test_a_scanned_network_is_heard_block_by_block() -> None:
    model, variables, images = drawn("cifar_resnet", 8, width=0.25, scan_blocks="always", depth=20)
    sounds = audible(model, variables, images)
    assert list(sounds)[:3] == ["conv1", "stage1_1/a", "stage1_1/b"]
    assert {f"stage{i}_{j}/add" for i in (1, 2, 3) for j in (1, 2, 3)} <= set(sounds)


@pytest.mark.parametrize("activation", ["tanh", "prelu", "maxout", "leaky_relu"])
def test_other_nonlinearities_are_refused_by_name(activation: str) -> None:
    model, variables, images = drawn("convnet", activation=activation, **CONVNET)
    for rule in set(RULES) - {"gradient"}:
        with pytest.raises(InputError, match=f"{rule}.*{activation}"):
            jax.eval_shape(lambda v, rule=rule: hear(model, v, images, (), rule).logits, variables)


def test_names_that_do_not_exist() -> None:
    model, variables, images = drawn("convnet", **CONVNET)
    listen = lambda *names, rule="gradient": jax.eval_shape(
        lambda v: hear(model, v, images, names, rule).back(after={"conv2": images}), variables
    )
    with pytest.raises(InputError, match="no layer 'conv3'.*conv1"):
        listen("conv3")
    with pytest.raises(InputError, match="rule 'guide'.*guided"):
        listen(rule="guide")
    with pytest.raises(InputError, match="'conv2' is not heard"):
        listen("conv1")


def check_audible(small: Small) -> None:
    """All that is said of a network's names holds, and each rule goes back or is refused."""
    model, shape = small.build(), jax.ShapeDtypeStruct((1, *small.shape), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), shape)
    sounds = audible(model, variables, shape)
    rows = {row.name: row for row in layer_table(model, small.shape)}
    listed = {
        name
        for name, row in rows.items()
        if row.kind not in ("dropout", "batch_norm", "prelu") and not row.auxiliary
    }
    assert listed <= set(sounds)
    has_relu = model.nonlinearity == "relu"
    rectifies = len(listed) > 1  # `linear` has no nonlinearity to refuse
    names = list(sounds)[::7]
    for rule in ("guided",) if has_relu else ("gradient", "deconvnet"):  # tracing is what costs

        def through(variables: Any, images: Any, rule: str = rule) -> Any:
            heard = hear(model, variables, images, names, rule)
            return heard.back(logits=jnp.ones_like(heard.logits))

        if rule == "gradient" or has_relu or not rectifies:
            signals = jax.eval_shape(through, variables, shape)
            assert signals.images.shape == shape.shape
            assert set(signals.sounds) == set(names)
        else:
            with pytest.raises(InputError, match=model.nonlinearity):
                jax.eval_shape(through, variables, shape)


QUICK = ("lenet5",)


@pytest.mark.parametrize(
    "small", [s for s in FIRST_OF_EACH if s.name in QUICK], ids=lambda s: s.title
)
def test_networks_are_audible(small: Small) -> None:
    check_audible(small)


@pytest.mark.slow
@pytest.mark.parametrize(
    "small", [s for s in FIRST_OF_EACH if s.name not in QUICK], ids=lambda s: s.title
)
def test_every_network_is_audible(small: Small) -> None:
    check_audible(small)

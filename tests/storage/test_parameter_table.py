from cnn_jax.optim.parameter_rules import rules_of
from cnn_jax.storage.parameter_table import parameter_table, parameters_of
from cnn_jax.training.run import prepare
from tests import configs


def test_every_parameter_with_what_is_done_to_it() -> None:
    keys = {
        "optim.weight_decay": 5e-4,
        "optim.decay_batch_norm": 2.0,
        "optim.rate_multipliers": {"*/bias": 2.0},
        "optim.frozen": "fc1",
    }
    run = prepare(configs.quick(keys))
    found = parameters_of(run.initial_state().params, rules_of(run.config.optim))
    rows = [line.split() for line in parameter_table(found, 5e-4).splitlines()]
    assert ["fc1/kernel", "100x12", "1,200", "kernel", "0", "x0", "frozen"] in rows
    assert ["fc1_bn/scale", "12", "12", "batch", "norm", "0.001", "x1"] in rows
    assert ["fc1_bn/bias", "12", "12", "batch", "norm", "0.001", "x2"] in rows
    assert ["logits/kernel", "12x4", "48", "kernel", "0.0005", "x1"] in rows
    assert ["logits/bias", "4", "4", "bias", "0", "x2"] in rows
    assert ["kernel:", "1", "arrays,", "1,200", "numbers,", "frozen"] in rows
    assert ["bias:", "1", "arrays,", "4", "numbers,", "decay", "0,", "rate", "x2"] in rows

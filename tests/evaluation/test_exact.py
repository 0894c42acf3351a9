import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.data.dataset import Split
from cnn_jax.evaluation.exact import evaluate, padded_batches
from cnn_jax.step.counts import Counts, count_correct


def split(n: int) -> Split:
    rng = np.random.default_rng(n)
    return Split(
        rng.integers(0, 255, (n, 1, 1, 7), np.uint8), rng.integers(0, 7, n).astype(np.int32)
    )


def count_batch(batch: dict[str, np.ndarray]) -> Counts:
    return compiled_count(batch["image"], batch["label"], batch["weight"])


@jax.jit
def compiled_count(images: jax.Array, labels: jax.Array, weights: jax.Array) -> Counts:
    logits = images.reshape(-1, 7).astype(jnp.float32)
    return count_correct(logits, labels, weights, jnp.ones(len(labels)))


@pytest.mark.parametrize("batch_size", [1, 8, 13])
@pytest.mark.parametrize("n", [1, 7, 499, 899])
def test_every_example_counts_once(n: int, batch_size: int) -> None:
    data = split(n)
    found = evaluate(count_batch, data, batch_size)
    wrong = {1: 0, 5: 0}
    for image, label in zip(data.images.reshape(n, 7), data.labels, strict=True):
        order = sorted(range(7), key=lambda c: (-int(image[c]), c))
        for k in wrong:
            wrong[k] += label not in order[:k]
    assert found.n == n
    assert found.top1_error == wrong[1] / n and found.top5_error == wrong[5] / n
    assert found.loss == pytest.approx(1.0)


@pytest.mark.parametrize("hosts", [2, 3, 8])
@pytest.mark.parametrize("batch_size", [1, 8, 13])
@pytest.mark.parametrize("n", [1, 7, 499, 899])
def test_hosts_together_count_every_example_once(n: int, batch_size: int, hosts: int) -> None:
    data = split(n)
    whole = evaluate(count_batch, data, batch_size)
    batches = [list(padded_batches(data, batch_size, host, hosts)) for host in range(hosts)]
    assert len({len(of_host) for of_host in batches}) == 1, "no host waits for another"
    counts = [count_batch(batch) for of_host in batches for batch in of_host]
    sums = [sum(int(one[i]) for one in counts) for i in range(3)]
    assert sums[0] == n
    assert (n - sums[1]) / n == whole.top1_error and (n - sums[2]) / n == whole.top5_error


def test_batches_have_one_shape() -> None:
    shapes = {batch["image"].shape for batch in padded_batches(split(17), 8)}
    assert shapes == {(8, 1, 1, 7)}


def test_a_lost_example_is_an_error() -> None:
    def loses_one(batch: dict[str, np.ndarray]) -> Counts:
        counts = count_batch(batch)
        return counts._replace(n=counts.n - 1)

    with pytest.raises(RuntimeError, match="n=9/10"):
        evaluate(loses_one, split(10), 16)


def test_ties_and_non_finite_logits() -> None:
    logits = jnp.asarray([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [jnp.nan, 0.0, 0.0], [jnp.inf, 0, 0]])
    labels, weights = jnp.asarray([0, 1, 0, 0]), jnp.ones(4)
    counts = count_correct(logits, labels, weights, jnp.zeros(4))
    # Of a tie the lower class is ahead; an example that is not finite is wrong at every k.
    assert (int(counts.n), int(counts.top1), int(counts.top5)) == (4, 1, 2)

"""scikit-learn's own digits example on the split that cnn_jax uses, for comparison.

  python -m experiments.digits_svc

A support-vector machine with gamma 0.001 on the 8x8 pixels, 898 to train and 899 to test.
"""

from __future__ import annotations

from cnn_jax.data.digits import TRAIN_EXAMPLES
from experiments import command_line


def main(argv: list[str]) -> int:
    """Fits, tests and prints."""
    command_line.parse(argv, __doc__ or "")
    # Imported here: scikit-learn takes seconds, and the help need not wait for it.
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    pixels, labels = load_digits(return_X_y=True)
    machine = SVC(gamma=0.001).fit(pixels[:TRAIN_EXAMPLES], labels[:TRAIN_EXAMPLES])
    right = machine.predict(pixels[TRAIN_EXAMPLES:]) == labels[TRAIN_EXAMPLES:]
    print(f"SVC: test accuracy {100 * right.mean():.2f} %, n={len(right)}/{len(right)}")
    return 0


if __name__ == "__main__":
    command_line.run(main)

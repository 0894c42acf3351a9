"""TensorFlow's own input beside ours, over the same files: `tf.data` with `decode_and_crop_jpeg`.

Images a second, and images a second of processor time, which other programs disturb less.
It needs the [prepare] extra. From the root of the repository: python -m docs.results.input_tf_data
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import tensorflow as tf

from cnn_jax.benchmark import input as ours
from cnn_jax.benchmark.bursts import Contender, alternate
from cnn_jax.benchmark.photographs import folder_of_photographs
from cnn_jax.data.crops import RandomResized, draws
from cnn_jax.data.folder import folder

IMAGES, SIZE, BATCH, WORKERS = 1000, 224, 64, len(os.sched_getaffinity(0))


def main() -> None:
    """Times both and prints images/s and the ratio."""
    with tempfile.TemporaryDirectory() as temporary:
        root = folder_of_photographs(Path(temporary), 10, IMAGES // 10, 1)
        request = ours.InputRequest(images=IMAGES, size=SIZE, batch_size=BATCH, workers=WORKERS)
        split = ours.first_images(folder(str(root)), request, WORKERS)
        files = [str(root / split.name(i)) for i in range(len(split))]
        boxes = [RandomResized(SIZE)(draws(0, 0, i), 375, 500).box for i in range(len(files))]
        contenders = [
            Contender("stream", ours.streamed(split, BATCH), BATCH),
            Contender("tf.data", tf_data(files, boxes), BATCH),
        ]
        timings = alternate(contenders, rounds=9, seconds=1.0)
        for contender in contenders:
            print(
                f"{contender.name}: {BATCH / timings.median(contender.name):,.0f} images/s, "
                f"{per_processor_second(contender):,.0f} a second of processor time"
            )
        middle, low, high = timings.ratio("stream", "tf.data")
        print(f"stream / tf.data: {middle:.2f} ({low:.2f} to {high:.2f})")


def per_processor_second(contender, turns=5, steps=9):
    """Returns the median of images a second of processor time, over all threads."""
    found = []
    for _ in range(turns):
        began = time.process_time()
        contender.run(steps)
        found.append(steps * contender.images / (time.process_time() - began))
    return median(found)


def tf_data(files, boxes):
    """Returns a function that makes that many batches by tf.data."""

    def one(file, box):
        image = tf.image.decode_and_crop_jpeg(tf.io.read_file(file), box, channels=3)
        return tf.cast(tf.image.resize(image, (SIZE, SIZE), method="bilinear"), tf.uint8)

    def run(steps):
        options = tf.data.Options()
        options.threading.private_threadpool_size = WORKERS
        data = tf.data.Dataset.from_tensor_slices((files, boxes)).repeat().with_options(options)
        data = data.map(one, num_parallel_calls=WORKERS).batch(BATCH).prefetch(2)
        for _ in data.take(steps):
            pass

    return run


if __name__ == "__main__":
    main()

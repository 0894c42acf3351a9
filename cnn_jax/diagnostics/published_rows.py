"""Which printed figures a config is after: rows of `models/published_facts.json`, read by machine.

A row belongs to a config if its network, its recipe and its data are those of the config; its error
is compared with a measured one where the protocol of evaluation agrees too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cnn_jax.models.facts import facts

# Config file and word -> published network, and what the protocol of its rows must hold: a pattern
# that tells recipes of one network apart.
REPRODUCED: dict[str, tuple[str, str]] = {
    "imagenet/alexnet:paper": ("alexnet_2012", r"1 CNN \("),
    "imagenet/zfnet:paper": ("zfnet", ""),
    "imagenet/zfnet:512_1024_512": ("zfnet_512_1024_512", ""),
    "imagenet/spp:zf5": ("spp_zf5", r"\{6,3,2,1\} single-size"),
    "imagenet/spp:overfeat7": ("spp_overfeat7", "single-size"),
    "imagenet/vgg:A": ("vgg11", "S=256"),
    "imagenet/vgg:A_LRN": ("vgg11_lrn", "S=256"),
    "imagenet/vgg:B": ("vgg13", "S=256"),
    "imagenet/vgg:C": ("vgg16_C", "S=256"),
    "imagenet/vgg:D": ("vgg16", "S=256"),
    "imagenet/vgg:E": ("vgg19", "S=256"),
    "imagenet/vgg:A_gaussian": ("vgg11", "S=256"),
    "imagenet/vgg:B_from_A": ("vgg13", "S=256"),
    "imagenet/vgg:C_from_A": ("vgg16_C", "S=256"),
    "imagenet/vgg:D_from_A": ("vgg16", "S=256"),
    "imagenet/vgg:E_from_A": ("vgg19", "S=256"),
    "imagenet/prelu_net:A": ("msra_A_prelu", ""),
    "imagenet/prelu_net:B": ("msra_B_prelu", ""),
    "imagenet/prelu_net:C": ("msra_C_prelu", ""),
    "imagenet/prelu_net:small14": ("msra_small14", "channel-wise"),
    "imagenet/prelu_net:A_relu": ("msra_A_relu", ""),
    "imagenet/prelu_net:small14_relu": ("msra_small14", "ReLU$"),
    "imagenet/googlenet:paper": ("googlenet", ""),
    "imagenet/bn_inception:x30": ("inception_bn_table_widths", ""),
    "imagenet/inception_v3:released": ("inception_v3", ""),
    "imagenet/resnet:18": ("resnet18_optA", ""),
    "imagenet/resnet:34": ("resnet34", ""),
    "imagenet/resnet:34_A": ("resnet34_optA", ""),
    "imagenet/resnet:34_C": ("resnet34_optC", ""),
    "imagenet/resnet:50": ("resnet50_v1", ""),
    "imagenet/resnet:101": ("resnet101_v1", ""),
    "imagenet/resnet:152": ("resnet152_v1", ""),
    "imagenet/resnet:plain18": ("plain18", ""),
    "imagenet/resnet:plain34": ("plain34", ""),
    "imagenet/preact_resnet:152": ("preact_resnet152", "crop, scale aug"),
    "imagenet/preact_resnet:200": ("preact_resnet200", "crop, scale aug"),
    "imagenet/preact_resnet:200_aspect": ("preact_resnet200", "aspect"),
    "cifar10/cudaconvnet:paper": ("cudaconvnet_cifar10_11pct", "with LRN"),
    "cifar10/resnet:20": ("cifar_resnet20", ""),
    "cifar10/resnet:32": ("cifar_resnet32", ""),
    "cifar10/resnet:44": ("cifar_resnet44", ""),
    "cifar10/resnet:56": ("cifar_resnet56", ""),
    "cifar10/resnet:110": ("cifar_resnet110", ""),
    "cifar10/resnet:1202": ("cifar_resnet1202", ""),
    "cifar10/preact_resnet:110": ("cifar_preact_resnet110", ""),
    "cifar10/preact_resnet:164": ("cifar_preact_resnet164", ""),
    "cifar10/preact_resnet:1001": ("cifar_preact_resnet1001", "median of 5|batch 128"),
    "cifar10/preact_resnet:original164": ("cifar_resnet164", ""),
    "cifar10/nin:augmented": ("nin_cifar10", "with aug"),
    "cifar10/nin:plain": ("nin_cifar10", "no aug"),
    "cifar10/all_cnn:C": ("all_cnn_c", "no aug"),
    "cifar10/all_cnn:C_augmented": ("all_cnn_c", "with aug"),
    "mnist/lenet5:1998": ("lenet5_1998", "no distortions"),
    "mnist/lenet5:1998_distorted": ("lenet5_1998", "with distortions"),
}
# Data set of TFDS -> splits of the papers that are its test split here; all of it.
SPLITS = {
    "imagenet2012": ("ILSVRC-2012 val", "ILSVRC-2014 val", "ILSVRC-2012 val, all 50,000"),
    "cifar10": ("CIFAR-10 test",),
    "cifar100": ("CIFAR-100 test",),
    "mnist": ("MNIST test",),
}
METRICS = {"top1": "top-1", "top5": "top-5"}
CENTRE, DENSE = "centre", "dense"
MEASURABLE = (CENTRE, "10_crop", "144_crop", "grid", DENSE)  # keys of `evaluation.protocols`
OF_NO_SINGLE_RUN = ("an ensemble", "none")
# What a protocol says -> how its images are shown; the first that is found holds.
SHOWN = (
    (r"\b([2-9]|\d\d+) (models?\b|model\(s\)|CNNs|convnets|nets)|ensemble|boosted", "an ensemble"),
    (r"curve only", "none"),
    (r"multi-crop & dense|full image|full-image", "several protocols"),
    (r"multi-crop", "grid"),
    (r"dense|multi-scale|fully-conv", DENSE),
    (r"single (\d+)x\d+ crop|ORIGINAL", "one crop of 320"),
    (r"single crop|\b1 crop\(s\)", CENTRE),
    (r"\b(10|144)[ -](crop|view)", r"\1_crop"),
    (r"\b(\d+)[ -](crop|view)", r"\1 views"),
    (r"1 convnet", "10_crop"),  # Zeiler & Fergus 2013, section 3
    (r"LRN", "several views"),  # Krizhevsky et al. 2012, section 3.3
)
SCALES = re.compile(r"Q=\{?([\d,]+)|scale (\d+)")
OF_RESNET = (224, 256, 384, 480, 640)  # He et al. 2015, section 3.4: multi-scale


class Shown(NamedTuple):
    """How the images of an evaluation are shown.

    Attributes:
        protocol: a key of `evaluation.protocols`, or other words where it has none.
        scales: shorter sides, where the protocol has any.
    """

    protocol: str
    scales: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.protocol} at {', '.join(map(str, self.scales))}" if self.scales else self[0]

    @property
    def measurable(self) -> bool:
        """Whether it can be repeated here."""
        needs_scales = self.protocol in ("grid", DENSE)
        return self.protocol in MEASURABLE and (not needs_scales or self.scales != ())


@dataclass(frozen=True)
class PublishedRow:
    """One printed error.

    Attributes:
        reference_id: of the published network.
        split: on which it was measured.
        protocol: of training and evaluation, as printed.
        metric: `top1` or `top5`.
        printed: the figure as printed, percent.
        where: table or section.
        status: `read`, or `unverified` where the figure could not be read at its source.
    """

    reference_id: str
    split: str
    protocol: str
    metric: str
    printed: str
    where: str
    status: str

    @property
    def name(self) -> str:
        """A name that no other row has."""
        return "/".join((self.reference_id, self.split, self.protocol, self.metric))

    @property
    def error(self) -> float | None:
        """The error as a fraction; None where a bound is printed."""
        found = re.match(r"[\d.]+", self.printed)
        return float(found.group()) / 100 if found else None

    @property
    def spread(self) -> tuple[float, float] | None:
        """Mean and standard deviation over runs, as fractions, where they are printed."""
        found = re.search(r"([\d.]+)\+-([\d.]+)", self.printed)
        return (float(found[1]) / 100, float(found[2]) / 100) if found else None

    @property
    def shown(self) -> Shown:
        """How the images were shown."""
        for pattern, words in SHOWN:
            if found := re.search(pattern, self.protocol):
                protocol = found.expand(words)
                return Shown(protocol, self._scales() if protocol in ("grid", DENSE) else ())
        return Shown(CENTRE if not self.split.startswith("ILSVRC") else "unknown views")

    def _scales(self) -> tuple[int, ...]:
        found = SCALES.search(self.protocol)
        if found is None:
            return OF_RESNET if self.reference_id.startswith("resnet") else ()
        return tuple(int(side) for side in (found[1] or found[2]).split(",") if side)


def rows_of(reference_id: str) -> list[PublishedRow]:
    """Returns all printed errors of a published network, one a metric."""
    return [
        PublishedRow(
            reference_id,
            result["split"],
            result["protocol"],
            metric,
            str(result[f"{metric}_error"]),
            result["table"],
            result["status"],
        )
        for result in facts()[reference_id].published_results
        for metric in ("top1", "top5")
        if result.get(f"{metric}_error") is not None
    ]


def all_rows() -> Iterator[PublishedRow]:
    """Yields every printed error."""
    for reference_id in facts():
        yield from rows_of(reference_id)


def rows_for(recipe: str, dataset: str) -> list[PublishedRow]:
    """Returns the printed errors of one network that a config is after.

    Args:
        recipe: as `recipe_of` names it.
        dataset: its data, as TFDS names it.
    """
    if recipe not in REPRODUCED:
        return []
    reference_id, pattern = REPRODUCED[recipe]
    splits = SPLITS.get(dataset.partition("/")[0], ())
    return [
        row
        for row in rows_of(reference_id)
        if row.split in splits
        and re.search(pattern, row.protocol)
        and row.shown.protocol not in OF_NO_SINGLE_RUN
    ]


def recipe_of(config_file: str) -> str:
    """Returns the name of a config's recipe: `imagenet/resnet:50` for `configs/imagenet/resnet.py`.

    Args:
        config_file: as `--config` has it; a bare file means its default word.
    """
    path, _, word = config_file.partition(":")
    file = Path(path)
    word = word or _default_word(file)
    return f"{file.parent.name}/{file.stem}" + (f":{word}" if word else "")


def _default_word(file: Path) -> str:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "get_config" and node.args.defaults:
            return str(ast.literal_eval(node.args.defaults[0]))
    return ""

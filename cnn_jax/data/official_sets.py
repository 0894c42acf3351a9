"""The official files of the classic data sets: names, sizes, digests, classes, where they are.

MD5 digests are those of the sets' own pages (CIFAR, A. Krizhevsky 2009; Fashion-MNIST, H. Xiao et
al. 2017) or of the files there (MNIST, Y. LeCun et al. 1998; Kuzushiji-MNIST, T. Clanuwat et al.
2018; EMNIST, G. Cohen et al. 2017; SVHN, Y. Netzer et al. 2011, format 2). Where none is known for
a form in which a file may lie, sizes and counts are what is checked.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Final

DIGITS: Final = tuple(string.digits)
PIXELS: Final = 28 * 28  # of an image of the sets in IDX


@dataclass(frozen=True)
class OfficialFile:
    """One file of a set.

    Attributes:
        name: as published, without `.gz`.
        size: bytes, unpacked; 0: not known.
        md5: of the unpacked file; empty: not known.
        packed_size: bytes as published, where that is packed; 0: not known.
        packed_md5: of the file as published, where that is packed; empty: not known.
        examples: how many it holds; 0: it is an archive of several.
    """

    name: str
    size: int = 0
    md5: str = ""
    packed_size: int = 0
    packed_md5: str = ""
    examples: int = 0


@dataclass(frozen=True)
class IdxSet:
    """A set of four files in IDX, or of four such files for one of its splits.

    Attributes:
        name: as TFDS calls the set.
        title: its name in words.
        address: where it is published.
        files: images and labels of train, images and labels of test.
        classes: one name each, in the order of the labels.
        folders: below the named one in which the files may lie.
        first_label: what the first class is called in the files.
        transposed: whether rows and columns are exchanged in the files.
        archive: that may hold the files, packed.
    """

    name: str
    title: str
    address: str
    files: tuple[OfficialFile, OfficialFile, OfficialFile, OfficialFile]
    classes: tuple[str, ...]
    folders: tuple[str, ...]
    first_label: int = 0
    transposed: bool = False
    archive: OfficialFile | None = None


@dataclass(frozen=True)
class Version:
    """One of the forms in which CIFAR is published.

    Attributes:
        archive: that holds all.
        folder: into which it unpacks.
        train: files of train, in their order.
        test: file of test.
        binary: whether they are plain bytes; otherwise pickled by Python.
    """

    archive: OfficialFile
    folder: str
    train: tuple[OfficialFile, ...]
    test: OfficialFile
    binary: bool


@dataclass(frozen=True)
class CifarSet:
    """CIFAR-10 or CIFAR-100.

    Attributes:
        name: as TFDS calls it.
        title: its name in words.
        address: where it is published.
        versions: in the order in which they are looked for.
        labels: kind of label -> one name for each class; in the order of the bytes in the binary
            version.
    """

    name: str
    title: str
    address: str
    versions: tuple[Version, ...]
    labels: dict[str, tuple[str, ...]]


def _idx_files(
    names: tuple[str, str], counts: tuple[int, int], digests: tuple[tuple[str, int, str], ...] = ()
) -> tuple[OfficialFile, OfficialFile, OfficialFile, OfficialFile]:
    """Images and labels of two splits; digests: (of the unpacked, packed size, of the packed)."""
    files = []
    kinds = (("images-idx3-ubyte", 16, PIXELS), ("labels-idx1-ubyte", 8, 1))
    parts = [(s, n, *kind) for s, n in zip(names, counts, strict=True) for kind in kinds]
    for number, (split, examples, kind, header, each) in enumerate(parts):
        known = digests[number] if digests else ("", 0, "")
        size = header + each * examples
        files.append(OfficialFile(f"{split}-{kind}", size, *known, examples))
    return files[0], files[1], files[2], files[3]


SPLITS_OF_MNIST, COUNTS_OF_MNIST = ("train", "t10k"), (60_000, 10_000)

MNIST: Final = IdxSet(
    "mnist",
    "MNIST",
    "http://yann.lecun.com/exdb/mnist/ (copy: https://ossci-datasets.s3.amazonaws.com/mnist/)",
    _idx_files(
        SPLITS_OF_MNIST,
        COUNTS_OF_MNIST,
        (
            ("6bbc9ace898e44ae57da46a324031adb", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            ("a25bea736e30d166cdddb491f175f624", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            ("2646ac647ad5339dbf082846283269ea", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            ("27ae3e4e09519cfbb04c329615203637", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
    DIGITS,
    ("", "raw", "MNIST/raw"),
)

FASHION_MNIST: Final = IdxSet(
    "fashion_mnist",
    "Fashion-MNIST",
    "https://github.com/zalandoresearch/fashion-mnist",
    _idx_files(
        SPLITS_OF_MNIST,
        COUNTS_OF_MNIST,
        (
            ("f4a8712d7a061bf5bd6d2ca38dc4d50a", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            ("9018921c3c673c538a1fc5bad174d6f9", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            ("8181f5470baa50b63fa0f6fddb340f0a", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            ("15d484375f8d13e6eb1aabb0c3f46965", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
    ),
    (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    ("", "raw", "FashionMNIST/raw"),
)

KMNIST: Final = IdxSet(
    "kmnist",
    "Kuzushiji-MNIST",
    "http://codh.rois.ac.jp/kmnist/",
    _idx_files(
        SPLITS_OF_MNIST,
        COUNTS_OF_MNIST,
        (
            ("", 18_165_135, "bdb82020997e1d708af4cf47b453dcf7"),
            ("", 29_497, "e144d726b3acfaa3e44228e80efcd344"),
            ("", 3_041_136, "5c965bf0a639b31b8f53240b1b52f4d7"),
            ("", 5_120, "7320c461ea6c1c855c0b718fb2a4b134"),
        ),
    ),
    ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ("", "raw", "KMNIST/raw"),
)

BYCLASS: Final = (*DIGITS, *string.ascii_uppercase, *string.ascii_lowercase)
# Of letters whose two cases look alike, the capital stands for both.
BYMERGE: Final = (*DIGITS, *string.ascii_uppercase, *"abdefghnqrt")
EMNIST_SPLITS: Final = {
    "balanced": ((112_800, 18_800), BYMERGE, 0),
    "byclass": ((697_932, 116_323), BYCLASS, 0),
    "bymerge": ((697_932, 116_323), BYMERGE, 0),
    "digits": ((240_000, 40_000), DIGITS, 0),
    "letters": ((124_800, 20_800), tuple(string.ascii_lowercase), 1),
    "mnist": ((60_000, 10_000), DIGITS, 0),
}


def _emnist(split: str) -> IdxSet:
    counts, classes, first_label = EMNIST_SPLITS[split]
    return IdxSet(
        "emnist",
        f"EMNIST {split}",
        "https://www.nist.gov/itl/products-and-services/emnist-dataset (gzip.zip)",
        _idx_files((f"emnist-{split}-train", f"emnist-{split}-test"), counts),
        classes,
        ("", "gzip", "raw", "EMNIST/raw"),
        first_label,
        transposed=True,
        archive=OfficialFile(
            "gzip.zip", packed_size=561_753_746, packed_md5="58c8d27c78d21e728a6bc7b3cc06412e"
        ),
    )


EMNIST: Final = {split: _emnist(split) for split in EMNIST_SPLITS}

CIFAR_ADDRESS: Final = "https://www.cs.toronto.edu/~kriz/cifar.html"
CIFAR10: Final = CifarSet(
    "cifar10",
    "CIFAR-10",
    CIFAR_ADDRESS,
    (
        Version(
            OfficialFile(
                "cifar-10-python.tar.gz",
                packed_size=170_498_071,
                packed_md5="c58f30108f718f92721af3b95e74349a",
            ),
            "cifar-10-batches-py",
            (
                OfficialFile(
                    "data_batch_1", 0, "c99cafc152244af753f735de768cd75f", examples=10_000
                ),
                OfficialFile(
                    "data_batch_2", 0, "d4bba439e000b95fd0a9bffe97cbabec", examples=10_000
                ),
                OfficialFile(
                    "data_batch_3", 0, "54ebc095f3ab1f0389bbae665268c751", examples=10_000
                ),
                OfficialFile(
                    "data_batch_4", 0, "634d18415352ddfa80567beed471001a", examples=10_000
                ),
                OfficialFile(
                    "data_batch_5", 0, "482c414d41f54cd18b22e5b47cb7c3cb", examples=10_000
                ),
            ),
            OfficialFile("test_batch", 0, "40351d587109b95175f43aff81a1287e", examples=10_000),
            binary=False,
        ),
        Version(
            OfficialFile(
                "cifar-10-binary.tar.gz",
                packed_size=170_052_171,
                packed_md5="c32a1d4ab5d03f1284b67883e8d87530",
            ),
            "cifar-10-batches-bin",
            tuple(
                OfficialFile(f"data_batch_{number}.bin", 30_730_000, md5, examples=10_000)
                for number, md5 in enumerate(
                    (
                        "5dd7e06a14cb22eb9f671a540d1b7c25",
                        "5ea93a67294ea407fff1d09f752e9692",
                        "942cd6a4bcdd0dd3c604fbe906cb4421",
                        "ae636b3ba5c66a11e91e8cb52e771fcb",
                        "53f37980c15c3d472c316c40844f3f0d",
                    ),
                    1,
                )
            ),
            OfficialFile(
                "test_batch.bin", 30_730_000, "803d5f7f4d78ea53de84dbe85f74fb6d", examples=10_000
            ),
            binary=True,
        ),
    ),
    {
        "labels": (
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        )
    },
)

COARSE: Final = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables "
    "household_electrical_devices household_furniture insects large_carnivores "
    "large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores "
    "medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 "
    "vehicles_2"
)
FINE: Final = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
    "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
    "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo "
    "keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse "
    "mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy "
    "porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television "
    "tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
CIFAR100: Final = CifarSet(
    "cifar100",
    "CIFAR-100",
    CIFAR_ADDRESS,
    (
        Version(
            OfficialFile(
                "cifar-100-python.tar.gz",
                packed_size=169_001_437,
                packed_md5="eb9058c3a382ffc7106e4002c42a8d85",
            ),
            "cifar-100-python",
            (OfficialFile("train", 0, "16019d7e3df5f24257cddd939b257f8d", examples=50_000),),
            OfficialFile("test", 0, "f0ef6b0ae62326f3e7ffdfab6717acfc", examples=10_000),
            binary=False,
        ),
        Version(
            OfficialFile(
                "cifar-100-binary.tar.gz",
                packed_size=168_513_733,
                packed_md5="03b5dce01913d631647c71ecec9e9cb8",
            ),
            "cifar-100-binary",
            (
                OfficialFile(
                    "train.bin", 153_700_000, "6172c7755cfe09b2fe270c85cebc1b15", examples=50_000
                ),
            ),
            OfficialFile(
                "test.bin", 30_740_000, "4499cfba6c016c1be1438163640a0898", examples=10_000
            ),
            binary=True,
        ),
    ),
    {"coarse_labels": tuple(COARSE.split()), "fine_labels": tuple(FINE.split())},
)

SVHN_ADDRESS: Final = "http://ufldl.stanford.edu/housenumbers/ (format 2, cropped digits)"
SVHN_TRAIN: Final = OfficialFile(
    "train_32x32.mat", 182_040_794, "e26dedcc434d2e4c54c9b2d4a06d8373", examples=73_257
)
SVHN_TEST: Final = OfficialFile(
    "test_32x32.mat", 64_275_384, "eb5a983be6a315427106f1b164d9cef3", examples=26_032
)
SVHN_EXTRA: Final = OfficialFile(
    "extra_32x32.mat", 1_329_278_602, "a93ce644f1a588dc4d68dda5feec44a7", examples=531_131
)

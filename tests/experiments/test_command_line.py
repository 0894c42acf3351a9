"""Bad input ends in a sentence and exit code 2, before jax is imported."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from absl import flags

from cnn_jax.ablation.factors import members_of
from cnn_jax.ablation.search import check, member_of
from cnn_jax.config.ablation import Ablation
from cnn_jax.config.problems import InputError
from cnn_jax.config.search import Search
from experiments import command_line
from tests.binaries import run

CONFIG = "--config=configs/digits/lenet5.py"
fresh = flags.FlagValues
BAD = [
    ((), "--config is missing"),
    (
        ("--config=configs/digits/lenet.py",),
        "no such file; did you mean 'configs/digits/lenet5.py'",
    ),
    (
        ("--config=configs/digits/lenet5.py:50",),
        "variant '50' is unknown: the file has no variants",
    ),
    (("--config=configs/digits/mlp.py:3_layer",), "did you mean '3_layers'"),
    ((CONFIG, "--wrokdir=x"), "--wrokdir is unknown; did you mean 'workdir'?"),
    ((CONFIG, "--config.train.epoch=3"), "config.train.epoch is unknown; did you mean 'epochs'"),
    (
        (CONFIG, "--config.trian.epochs=3"),
        "config.trian.epochs is unknown; did you mean 'train.epochs'",
    ),
    ((CONFIG, "--config.train.epochs=many"), "--config.train.epochs=many"),
    ((CONFIG, "--config.train.epochs=-3"), "config.train.epochs = -3.0: must be above 0"),
    ((CONFIG, "--config.train.batch_size=2.5"), "--config.train.batch_size=2.5"),
    ((CONFIG, '--config.optim={"nestrov": 1}'), "config.optim.nestrov is unknown"),
    ((CONFIG, "--config.model.kwargs.widht=2"), "did you mean 'width'"),
    ((CONFIG, "--config.model.kwargs.norm=bach"), "did you mean 'batch'"),
    ((CONFIG, "--config.model.name=lenet"), "did you mean 'lenet5'"),
    ((CONFIG, '--config.optim.kwargs={"rho": 0.9}'), "config.optim.kwargs.rho is not an argument"),
    ((CONFIG, "--config.lr=0.1"), "did you mean 'optim.learning_rate', as in --config.optim.lea"),
    (("--config", "--config.lr=0.1"), "--config has no file, as in --config=configs"),
    ((CONFIG, "--config.model.kwargs.dropout_rate={'C5': 0.3"), "a map from names to float is n"),
    ((CONFIG, "--config.seed.data=4294967296"), "--config.seed.data=0"),
    ((CONFIG, "stray"), "unexpected arguments: stray"),
]
# The binary's own entry, and then a look at what it has loaded.
PROGRAM = """
import sys
from experiments import command_line, train
sys.argv = ["train", *sys.argv[1:]]
try:
    command_line.run(train.main)
finally:
    print("jax" in sys.modules, "tensorflow" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_bad_input(
    arguments: tuple[str, ...], message: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    values = flags.FlagValues()
    flags.DEFINE_string("workdir", None, "", flag_values=values)
    with pytest.raises(InputError) as caught:
        command_line.parse_config(["train", *arguments], "", values)
    assert len(caught.value.problems) in (1, 2) and message in caught.value.problems[0]
    assert "\n" not in message


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e39", "1" * 400])
def test_a_flag_takes_finite_numbers_alone(number: str) -> None:
    values = fresh()
    flags.DEFINE_float("memory_gib", None, "", flag_values=values)
    with pytest.raises(InputError, match="--memory_gib="):
        command_line.parse(["x", f"--memory_gib={number}"], "", values)
    assert command_line.parse(["x", "--memory_gib=0.5", "word"], "", values) == ["word"]


def test_bad_input_ends_before_jax(root: Path) -> None:
    for arguments, message in BAD[-3:]:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, cwd=root
        )
        assert done.returncode == 2, done.stderr
        assert message in done.stderr and "Traceback" not in done.stderr
        assert done.stderr.endswith("False False\n")


def test_a_broken_config_file_is_named_with_its_line(tmp_path: Path) -> None:
    head = "from cnn_jax.config import schema\n\ndef get_config():\n"
    made = f"{head}    config = schema.base_config()\n"
    for text, message in [
        ("x = 1\ndef get_config(:", ", line 2: SyntaxError"),
        ("x = 1", ": the file defines no function get_config"),
        ("def get_config():\n    return 3", ": get_config returned a int"),
        ("import nothing_like_it", ", line 1: ModuleNotFoundError: No module named"),
        ("\n\nx = 1 / 0", ", line 3: ZeroDivisionError"),
        (
            f"{made}    config.train.epoch = 3.0",
            ", line 5: there ",
        ),
        (f"{made}    config.lr = 3.0", "'optim.learning_rate'?"),
        (f"{made}    config.train.epochs = -3.0\n    return config", ", line 5: config.train.ep"),
        (
            f"{made}    config.model.kwargs = {{'widht': 2}}\n    return config",
            ", line 5: config.m",
        ),
        (f"{head}    schema.base_search().stage = ()", ", line 4: search.stage is unknown"),
        (f"{head}    return schema.choose({{'a': 1}}, 'b')", ", line 4: variant 'b' is unknown"),
    ]:
        file = tmp_path / "broken.py"
        file.write_text(text)
        with pytest.raises(InputError) as caught:
            command_line.parse_config(["x", f"--config={file}"], "", fresh())
        said = str(caught.value)
        assert said.startswith(f"--config={file}") and message in said and "\n" not in said


def test_what_the_command_line_sets_is_not_looked_for_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "good.py"
    file.write_text(
        "from cnn_jax.config import schema\n\ndef get_config():\n"
        "    config = schema.base_config()\n    config.train.epochs = 3.0\n    return config\n"
    )
    with pytest.raises(InputError, match=r"^config.train.epochs = -1.0: must be above 0"):
        argv = ["x", f"--config={file}", "--config.train.epochs=-1"]
        command_line.parse_config(argv, "", fresh())


def test_a_file_behind_a_space_or_an_equals_sign() -> None:
    for argv in (
        [
            CONFIG,
            "--config.train.epochs=3",
            "--noconfig.log.progress_bar",
            "a",
            "--",
            "--config.x=3",
        ],
        ["--config", CONFIG[9:], "--config.train.epochs", "3", "--noconfig.log.progress_bar", "a"],
    ):
        words = command_line.split(["x", *argv])
        overrides = [("train.epochs", "3"), ("log.progress_bar", "false")]
        assert words.files == [CONFIG[9:]] and words.overrides == overrides
        assert words.others[:2] == ["x", "a"]
    flag = command_line.split(["x", "--config.data.flip", "--workdir=y", "--config.a", "-3"])
    assert flag.overrides == [("data.flip", "true"), ("a", "-3")]
    for argv in (["--config"], ["--config="], ["--config", "--workdir=x"]):
        with pytest.raises(InputError, match="has no file, as in --config=configs"):
            command_line.split(["x", *argv])


def exit_of(main: Callable[[list[str]], int | None]) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        command_line.run(main)
    return caught.value.code


def test_ctrl_c_and_a_closed_output_end_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(argv: list[str]) -> None:
        raise KeyboardInterrupt

    def other_pipe(argv: list[str]) -> None:
        raise BrokenPipeError("a worker's")

    assert exit_of(interrupted) == 130
    assert capsys.readouterr().err == "interrupted by Ctrl-C\n"
    with pytest.raises(BrokenPipeError, match="a worker's"):
        command_line.run(other_pipe)
    assert exit_of(lambda argv: 3) == 3 and exit_of(lambda argv: None) in (0, None)


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("command_line.run(lambda argv: print('x' * 100_000))", 141),
        ("command_line.run(lambda argv: print('x'))", 141),
        ("command_line.run(lambda argv: command_line.parse(['x', '--help'], 'usage'))", 141),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_a_binary_of_which_nobody_reads(program: str, code: int, root: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", f"from experiments import command_line; {program}"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    os.close(write)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert done.stderr == ("interrupted by Ctrl-C\n" if code == 130 else "")


BINARIES = ["train", "evaluate", "predict", "seeds", "checkpoint", "chaos", "digits_svc"]
BINARIES += ["ablate", "search"]


@pytest.mark.parametrize("name", BINARIES)
def test_help(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0 and f"python -m experiments.{name}" in done.stdout
    if name not in ("checkpoint", "chaos", "digits_svc"):
        assert "config files are Python code, which is run" in done.stdout
    if name in ("train", "seeds"):
        assert "--config.optim.learning_rate" in done.stdout


def test_the_help_of_a_section(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.parse_config(["train", "--help", "schedule"], "usage", fresh())
    said = capsys.readouterr().out
    assert caught.value.code == 0 and said.startswith("schedule: ") and "usage" not in said
    with pytest.raises(InputError, match="did you mean 'schedule'"):
        command_line.parse_config(["train", CONFIG, "--help", "schedul"], "usage", fresh())


def test_importing_the_package_loads_neither_jax_nor_tensorflow() -> None:
    program = "import sys, cnn_jax; print('jax' in sys.modules, 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False False\n"


def test_another_builder_on_the_command_line_brings_its_own_arguments() -> None:
    words = ["x", CONFIG, "--config.data.kwargs.channels=1", "--config.data.source=folder"]
    words += ["--config.train_crop.kwargs.size=32", "--config.train_crop.name=random_resized"]
    _, config = command_line.parse_config(words, "", fresh())
    assert config.data.source == "folder"
    assert config.data.kwargs.to_dict() == {"channels": 1, "test_fraction": 0.1}
    assert config.train_crop.kwargs.size == 32 and config.train_crop.kwargs.smallest_area == 0.08
    _, config = command_line.parse_config(["x", CONFIG], "", fresh())
    assert config.data.source == "digits" and config.data.kwargs.to_dict() == {"size": 32}


def test_a_broken_search_is_named(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    text = Path("configs/searches/digits_lenet5.py").read_text()
    rate = '"optim.learning_rate": schema.LogUniform(1e-4, 1.0)'
    for old, new, message in [
        ("optim.weight_decay", "optim.weight_decy", "did you mean 'weight_decay'"),
        ("1e-4, 1.0", "-1e-4, 1.0", "range of optim.learning_rate: LogUniform(low=-0.0001"),
        ("kept=6", "kept=60", "stage 1.kept = 60"),
        (
            rate,
            '"train.loss": schema.LogUniform(1.0, 2.0)',
            "'lecun_1998' or 'mean_squared_error' is needed, this is float",
        ),
        (rate, '"train.batch_size": schema.Uniform(8, 64)', "draws fractions: Choice((1, 2, 3))"),
        (rate, '"train.loss": schema.Choice(("softmx",))', "did you mean 'softmax'"),
        (rate, '"train.epochs": schema.Uniform(1.0, 9.0)', "train.epochs: every stage sets this"),
        (rate, '"schedule.warmup_epochs": schema.Uniform(0.0, 5.0)', "longer than the run"),
        (rate, '"model.kwargs.kernel_init.C9.x": schema.Choice((1,))', "C9.x"),
    ]:
        assert old in text
        file = tmp_path / "broken.py"
        file.write_text(text.replace(old, new, 1))
        with pytest.raises(InputError) as caught:
            check(command_line.parse_plan(["x", f"--config={file}"], "", Search, fresh())[1])
        assert message in str(caught.value)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "experiments.search", f"--config={file}"],
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert done.returncode == 2 and message in done.stderr, done.stderr
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "ml_collections" in imported and "jax" not in imported


def test_what_a_plan_sets_is_not_overridden(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    file = "--config=configs/searches/digits_lenet5.py"
    for override, message in [
        ("optim.learning_rate=1", "a range of the search sets this key"),
        ("data.validation_folds=5", "the search, for its trials, sets this key"),
        ("train.epochs=5", "every stage of the search sets this key"),
        ("optim={}", "--config.optim: a range of the search sets config.optim."),
    ]:
        with pytest.raises(InputError, match=message):
            command_line.parse_plan(["x", file, f"--config.{override}"], "", Search, fresh())


def test_a_range_and_a_level_may_name_an_entry_of_a_map(tmp_path: Path) -> None:
    key = "model.kwargs.dropout_rate.C5"
    file = tmp_path / "plan.py"
    file.write_text(
        "from cnn_jax.config import schema\n\ndef get_config(word):\n"
        "    plan = schema.base_search() if word == 'search' else schema.base_ablation()\n"
        "    plan.base = schema.base_config()\n"
        f"    if word == 'search':\n        plan.ranges = {{{key!r}: schema.Uniform(0.0, 0.5)}}\n"
        f"    else:\n        plan.factors = {{'rate': {{'low': {{{key!r}: 0.1}}, 'init': "
        "{'model.kwargs.kernel_init': {'*': 'orthogonal'}}}}\n"
        "        plan.seeds = 1\n    return plan\n"
    )
    search = command_line.parse_plan(["x", f"--config={file}:search"], "", Search, fresh())[1]
    member = member_of(search, search.stages[0], 0, {key: 0.25})
    assert member.config.model.kwargs.dropout_rate.to_dict() == {"C5": 0.25}
    check(search)
    ablation = command_line.parse_plan(["x", f"--config={file}:ablation"], "", Ablation, fresh())[1]
    low, init = members_of(ablation)
    assert low.config.model.kwargs.dropout_rate.to_dict() == {"C5": 0.1}
    assert init.config.model.kwargs.kernel_init.to_dict() == {"*": "orthogonal"}


def test_a_plan_is_run_by_its_own_binary(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)

    def asked(file: str) -> list[str]:
        return ["x", f"--config=configs/{file}.py"]

    with pytest.raises(InputError, match="is a search; python -m experiments.search"):
        command_line.parse_config(asked("searches/digits_lenet5"), "", fresh())
    with pytest.raises(InputError, match="is an ablation; python -m experiments.ablate"):
        command_line.parse_plan(asked("ablations/dropout"), "", Search, fresh())
    with pytest.raises(InputError, match="is a config; python -m experiments.train"):
        command_line.parse_plan(asked("digits/linear"), "", Ablation, fresh())

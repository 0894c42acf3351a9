"""A table in Markdown, LaTeX and plain text."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cnn_jax.ablation.table import LATEX, Table, escape

TABLE = Table(
    "Errors, 50 % & more",
    ("init", "test error, %", "p"),
    (("he_normal", "2.41 ± 0.33", "<0.001"), ("a|b", "-3.00", "")),
    best=frozenset({(0, 1)}),
    notes=("A note on C_1 ~ 100 % of {it}.",),
)


def test_markdown() -> None:
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "Errors, 50 % & more"
    assert lines[2] == "| init | test error, % | p |" and lines[3] == "| --- | ---: | ---: |"
    assert lines[4] == "| he_normal | **2.41 ± 0.33** | <0.001 |"
    assert lines[5] == r"| a\|b | -3.00 |  |"
    assert lines[-1] == "A note on C_1 ~ 100 % of {it}."


def test_text_is_aligned() -> None:
    lines = TABLE.text().splitlines()
    assert lines[2:6:3] == ["init       test error, %       p", "a|b                -3.00"]
    assert lines[4] == "he_normal   2.41 ± 0.33*  <0.001" and "* best on validation" in lines


def test_latex() -> None:
    text = TABLE.latex()
    assert r"\caption{Errors, 50 \% \& more}" in text
    assert r"init & \shortstack[r]{test error\\\%} & p \\" in text
    assert r"he\_normal & \textbf{2.41 $\pm$ 0.33} & $<$0.001 \\" in text
    assert r"a$|$b & $-$3.00 &  \\" in text
    for rule in ("toprule", "midrule", "bottomrule"):
        assert rf"\{rule}" in text


def test_a_minus_is_no_hyphen() -> None:
    assert escape("-0.5 to -1, he-normal, 3-4") == "$-$0.5 to $-$1, he-normal, 3-4"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles(tmp_path: Path) -> None:
    rows = (("".join(LATEX), "η² ±", "C:\\x_{y}^2#1~$"),)
    tables = TABLE.latex() + Table("All marks", ("a_b", "c, %", "p"), rows).latex()
    (tmp_path / "page.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{tables}\\end{{document}}\n"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 1000

"""The programs of docs/python-guide.md print what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "python-guide.md"
_BLOCK = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)

PROGRAMS = [(match[1], match[2]) for match in _BLOCK.finditer(GUIDE.read_text())]


def test_every_program_has_its_output() -> None:
    assert len(PROGRAMS) == GUIDE.read_text().count("```python") >= 10


def test_every_program_is_typed(tmp_path: Path) -> None:
    for number, (program, _) in enumerate(PROGRAMS):
        (tmp_path / f"program_{number}.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "."]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("program", "output"), PROGRAMS, ids=[f"program-{number}" for number in range(len(PROGRAMS))]
)
def test_program(program: str, output: str, addresses: list[str]) -> None:
    for stand_in, address in zip(("127.0.0.1:11211", "127.0.0.1:11212"), addresses):
        program = program.replace(stand_in, address)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == (output, 0), ran.stderr

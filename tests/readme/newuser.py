"""Reads the README as a new user would: block after block, command after command, in one directory."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from oo_sim.cli import main
from oo_sim.pytest_plugin import Gate
from oo_sim.serving.bench import started

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = {
    "oo-sim bench": "tests/slow/test_bench.py",
    "oo-sim bench peers": "tests/cli/test_bench_commands.py",
    "oo-sim bench serve": "tests/cli/test_serve_commands.py",
}
"""Commands that take long, and where they are run instead."""

SMALLER = {
    "oo-sim gate record ": "--users 200 --weak",
    "oo-sim generate llm_tips ": "--users 12 --rounds 10",
    "oo-sim run llm_tips ": "--users 12 --rounds 10",
}
"""What is added here to commands that take some seconds, where they do not say how large they are."""


class Block(NamedTuple):
    """A fenced block and the language that it names."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its lines without comments; lines that hold nothing else are left out."""
        lines = (re.sub(r"\s+# .*", "", line).strip() for line in self.text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def blocks(language: str = "") -> list[Block]:
    """The README's blocks in order, of one language or all."""
    found = [Block(*each) for each in re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)]
    return [block for block in found if language in ("", block.language)]


class NewUser:
    """Does what the README says, in an empty directory with the files that a checkout would have there.

    `oo-sim` runs in this process, which saves its imports; servers are real ones on free ports. Docker's place is taken
    by the mock gateway behind HTTP.
    """

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch, servers: ExitStack) -> None:
        self.directory, self.patch, self.servers = directory, patch, servers
        self.port = 0
        self.done: list[str] = []
        (directory / ".env.example").write_bytes((ROOT / ".env.example").read_bytes())

    def reads(self, block: Block) -> None:
        """Run, save or check one block."""
        if block.language == "sh":
            for command in block.commands:
                self.types(command)
        elif block.language == "python" and "def optimist" in block.text:
            (self.directory / "mine.py").write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            self.python(block.text)
        elif block.language == "yaml":
            self.workflow(yaml.safe_load(block.text))
        else:
            assert block.language == "text"

    def types(self, command: str) -> None:
        """Run one command; it must succeed."""
        self.done.append(command)
        if command in ELSEWHERE:
            assert (ROOT / ELSEWHERE[command]).is_file()
            return
        sizes = [size for start, size in SMALLER.items() if command.startswith(start) and "--users" not in command]
        program, *arguments = shlex.split(" ".join([command, *sizes]))
        known: dict[str, Callable[..., None]] = {
            "oo-sim": self.oo_sim,
            "curl": self.curl,
            "make": _make,
            "docker": self.docker,
            "cp": lambda source, target: (self.directory / target).write_bytes((self.directory / source).read_bytes()),
            "set": self.environment,
            ".": lambda script: script == ".venv/bin/activate" or pytest.fail(f"what is {script}?"),
        }
        known[program](*arguments)

    def oo_sim(self, *arguments: str) -> None:
        """Call the command line; a server is left running."""
        if arguments[0] == "serve":
            assert arguments[1:3] == ("--state-dir", "state")
            self.port, _ = self.servers.enter_context(started(self.directory / "state", *arguments[3:]))
            return
        *words, into = (*arguments[:-2], arguments[-1]) if ">" in arguments else (*arguments, "")
        self.patch.setattr(sys, "argv", ["oo-sim", *words])
        with (self.directory / into if into else Path(os.devnull)).open("w") as out, self.patch.context() as patch:
            patch.setattr(sys, "stdout", out)
            with pytest.raises(SystemExit) as end:
                main()
        assert end.value.code in (0, None), shlex.join(arguments)

    def curl(self, url: str, *options: str) -> None:
        """Ask the server that was started."""
        assert url.startswith("localhost:8000/")
        address = url.replace("localhost:8000", f"http://127.0.0.1:{self.port}")
        if options:
            assert options[0] == "--json"
            answer = httpx.post(address, json=json.loads(options[1]))
        else:
            answer = httpx.get(address)
        assert answer.status_code == 200, answer.text

    def docker(self, *arguments: str) -> None:
        """Start the mock gateway where compose would start Ollama and LiteLLM."""
        files = [arguments[i + 1] for i, word in enumerate(arguments) if word in ("-f", "--env-file")]
        assert (self.directory / files[0]).is_file()
        assert "ai" in yaml.safe_load((ROOT / files[1]).read_text())["services"]["litellm"]["profiles"]
        command = [sys.executable, "-c", "from oo_sim.cli import main; main()", "gateway", "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.servers.callback(process.stdout.close)  # type: ignore[union-attr]
        self.servers.callback(process.wait, 30)
        self.servers.callback(process.terminate)
        said = process.stdout.readline()  # type: ignore[union-attr]
        self.patch.setenv("LITELLM_URL", said.split()[-1])

    def environment(self, *words: str) -> None:
        """`set -a; . ./.env; set +a`: what .env says is in the environment."""
        assert words == ("-a;", ".", "./.env;", "set", "+a")
        for line in (self.directory / ".env").read_text().splitlines():
            if line and not line.startswith("#"):
                name, value = line.split("=", 1)
                self.patch.setenv(name, value)

    def python(self, text: str) -> None:
        """Run a snippet; call the tests in it as pytest would."""
        names: dict[str, Any] = {}
        exec(compile(text, "README.md", "exec"), names)  # noqa: S102 (our own words)
        for name in [name for name in names if name.startswith("test_")]:
            names[name](Gate(self.directory))

    def workflow(self, parsed: dict[str, Any]) -> None:
        """Run the steps of a workflow that are commands; pip is asked to install nothing."""
        for job in parsed["jobs"].values():
            for command in (step["run"] for step in job["steps"] if "run" in step):
                if command.startswith("pip "):
                    assert command == "pip install 'oo-sim @ git+https://example.org/OWNER/oo_sim'"
                else:
                    self.types(command)


def _make(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), f"no target {target}"

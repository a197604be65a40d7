"""A real server for tries and tests, commanded by lines of JSON; `../scenarios/README.md` lists the commands."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


class RefusedError(Exception):
    """The testbed refuses a command."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Testbed:
    """A server of a small town, gone with the `with` block."""

    __test__ = False  # pytest takes a class named Test… for a test.

    def __init__(self, *arguments: str) -> None:
        program = os.environ.get("TESTBED", str(ROOT / "target/debug/testbed"))
        self._process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def do(self, command: str, **arguments: Any) -> Any:
        """Gives a command and returns its answer. Raises `RefusedError`."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": command, "with": arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the testbed ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RefusedError(answer["error"]["code"], answer["error"]["text"])
        return answer["ok"]

    def close(self) -> None:
        """Ends the server and removes its files."""
        self._process.communicate()

    def __enter__(self) -> Testbed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

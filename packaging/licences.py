#!/usr/bin/env python3
"""Prints the libraries in the binary with their licences and the texts of these, each text once.

    licences.py    in the folder of the workspace; cargo must have fetched the libraries
"""

import json
import os
import re
import subprocess
import sys

PACKAGE = "onegrid-server"
TEXT = re.compile(r"^(LICEN[CS]E|COPYING|NOTICE|COPYRIGHT)", re.I)
TEXT_BYTES_MAX = 200_000


def libraries():
    """The libraries that are linked into the server, its own crates left out."""
    host = re.search(r"host: (\S+)", subprocess.run(["rustc", "-vV"], capture_output=True, text=True).stdout).group(1)
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host]
    data = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    waiting = [key for key, package in packages.items() if package["name"] == PACKAGE]
    found = set()
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            for dependency in nodes[key]["deps"]:
                if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                    waiting.append(dependency["pkg"])
    return sorted((packages[key] for key in found if packages[key]["source"]), key=lambda one: one["name"])


def texts(package):
    """The texts of licences in the folder of a library, and one folder below, where bundled C code is."""
    top = os.path.dirname(package["manifest_path"])
    folders = [top] + [entry.path for entry in os.scandir(top) if entry.is_dir()]
    for folder in folders:
        for entry in sorted(os.scandir(folder), key=lambda one: one.name):
            if entry.is_file() and TEXT.match(entry.name) and entry.stat().st_size < TEXT_BYTES_MAX:
                with open(entry.path, encoding="utf-8", errors="replace") as file:
                    yield file.read().strip()


def main():
    numbers = {}
    print("The program onegrid contains these libraries. The numbers name the texts below.\n")
    for package in libraries():
        own = [numbers.setdefault(text, len(numbers) + 1) for text in texts(package)]
        licence = package["license"] or "see the text"
        print(f"{package['name']} {package['version']}: {licence} {own or ''}".strip())
    if not numbers:
        sys.exit("no text of a licence was found")
    for text, number in numbers.items():
        print(f"\n---- {number} ----\n\n{text}")


if __name__ == "__main__":
    main()

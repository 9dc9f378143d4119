"""Fails unless META.json of an unpacked archive is as PGXN's specification says, and tells the truth.

usage: meta.py FOLDER Cargo.toml
"""

import json
import os
import re
import subprocess
import sys
import tempfile

folder, cargo = sys.argv[1:]
with open(os.path.join(folder, "META.json"), encoding="utf-8") as file:
    meta = json.load(file)
with open(cargo, encoding="utf-8") as file:
    version = re.search(r'^version = "(.*)"$', file.read(), re.MULTILINE).group(1)


def is_valid(meta):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(meta, file)
        file.flush()
        return subprocess.run(["pgxn_meta", file.name], capture_output=True, check=False).returncode == 0


assert is_valid(meta)
for field in ["abstract", "maintainer", "license", "provides", "name", "version", "meta-spec"]:
    assert not is_valid({name: value for name, value in meta.items() if name != field}), field

assert meta["meta-spec"]["version"] == "1.0.0"
assert meta["version"] == version == meta["provides"]["pg_net"]["version"]
assert os.path.basename(folder) == f"{meta['name']}-{version}"
for file in [meta["provides"]["pg_net"]["file"], meta["provides"]["pg_net"]["docfile"]]:
    assert os.path.isfile(os.path.join(folder, file)), file

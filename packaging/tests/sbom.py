"""Fails unless a file is a software bill of materials of pg_net in the form of CycloneDX, with the crates that it is
made of.

usage: sbom.py FILE.json Cargo.toml
"""

import json
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    bom = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    version = re.search(r'^version = "(.*)"$', file.read(), re.MULTILINE).group(1)

assert bom["bomFormat"] == "CycloneDX", bom["bomFormat"]
assert bom["specVersion"] == "1.5", bom["specVersion"]
what = bom["metadata"]["component"]
assert (what["name"], what["version"]) == ("pg_net", version), what
components = {component["name"]: component for component in bom["components"]}
for crate in ["hyper", "openssl", "tokio", "pgrx"]:
    component = components[crate]
    assert component["purl"].startswith(f"pkg:cargo/{crate}@{component['version']}"), component
    assert component["licenses"] and component["hashes"], component
for crate in ["rcgen", "windows-sys", "testkit"]:
    assert crate not in components, f"{crate} is no part of the library"

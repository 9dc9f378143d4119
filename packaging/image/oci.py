"""Writes an image as a tar archive in the OCI's image layout, of one layer.

usage: oci.py LAYER.tar CONFIG.json TAG TIME OUT.tar

CONFIG.json is the part `config` of the image's configuration; TIME is in seconds since 1970. The same input gives the
same bytes.
"""

import datetime
import gzip
import hashlib
import io
import json
import platform
import shutil
import sys
import tarfile
import tempfile

layer_path, config_path, tag, time, out_path = sys.argv[1:]
time = int(time)
created = datetime.datetime.fromtimestamp(time, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
OCI = "application/vnd.oci.image"


def digest_of(file):
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest(), file.tell()


with open(config_path, encoding="utf-8") as file:
    config = json.load(file)
layer = tempfile.TemporaryFile()
with open(layer_path, "rb") as file:
    uncompressed, _ = digest_of(file)
    file.seek(0)
    with gzip.GzipFile(filename="", mode="wb", fileobj=layer, mtime=0, compresslevel=6) as compressed:
        shutil.copyfileobj(file, compressed, 1 << 20)

with tarfile.open(out_path, "w", format=tarfile.PAX_FORMAT) as archive:

    def add(name, file, size):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, time, 0o644
        file.seek(0)
        archive.addfile(entry, file)

    def add_text(name, value):
        text = json.dumps(value, sort_keys=True).encode()
        add(name, io.BytesIO(text), len(text))

    def add_blob(file, media_type, **more):
        digest, size = digest_of(file)
        add(f"blobs/sha256/{digest}", file, size)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size, **more}

    def add_json_blob(value, media_type, **more):
        return add_blob(io.BytesIO(json.dumps(value, sort_keys=True).encode()), media_type, **more)

    add_text("oci-layout", {"imageLayoutVersion": "1.0.0"})
    layer_blob = add_blob(layer, f"{OCI}.layer.v1.tar+gzip")
    config_blob = add_json_blob(
        {
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{uncompressed}"]},
            "history": [{"created": created, "created_by": "make image"}],
        },
        f"{OCI}.config.v1+json",
    )
    manifest = add_json_blob(
        {"schemaVersion": 2, "mediaType": f"{OCI}.manifest.v1+json", "config": config_blob, "layers": [layer_blob]},
        f"{OCI}.manifest.v1+json",
        platform={"architecture": architecture, "os": "linux"},
        annotations={"org.opencontainers.image.ref.name": tag},
    )
    add_text("index.json", {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [manifest]})

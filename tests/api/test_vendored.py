"""What is vendored is what its manifest says, and nothing else is."""

import hashlib
import json

from flowd.api.dashboard.pages import STATIC

VENDOR = STATIC / "vendor"


def test_every_vendored_file_has_version_licence_and_the_hash_it_was_taken_with() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text())

    for one in manifest:
        content = (VENDOR / one["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"], one["file"]
        assert one["name"] and one["version"] and one["licence"]
        assert (VENDOR / f"{one['name']}.LICENSE").is_file()
    files = {path.name for path in VENDOR.iterdir()} - {"manifest.json"}
    assert files == {name for one in manifest for name in (one["file"], f"{one['name']}.LICENSE")}

"""The SDK as an author has it: installed somewhere, with the commands on the path, and no source of the host."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from world import BUILD, KLINKE


class Sdk:
    def __init__(self, root):
        self.root = Path(root)
        done = subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--tags", "devel", "--destdir",
                               str(self.root)], text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        self.bin = self.find("klinke-case").parent
        if not (self.bin / "klinke").exists():  # not of the tag; a link tells klinke where its own things are
            (self.bin / "klinke").symlink_to(KLINKE)
        self.docs = self.find("klinke-plugin.7").parents[2] / "doc" / "klinke" / "sdk"

    def find(self, name):
        found = list(self.root.rglob(name))
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    @property
    def environment(self):
        return {"HOME": os.environ.get("HOME", "/"), "PATH": f"{self.bin}:{os.environ['PATH']}",
                "PKG_CONFIG_PATH": str(self.find("klinke-plugin.pc").parent), "PKG_CONFIG_SYSROOT_DIR": str(self.root),
                "KLINKE_TEMPLATES": str(self.find("template"))}

    def run(self, script, cwd, more=None, timeout=120):
        """A block of the guide, as it is printed. Its output."""
        done = subprocess.run(["sh", "-e", "-c", script], cwd=cwd, env={**(more or {}), **self.environment}, text=True,
                              capture_output=True, timeout=timeout)
        assert done.returncode == 0, f"{script}{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def sdk():
    root = tempfile.mkdtemp(prefix="klinke-sdk-")
    try:
        yield Sdk(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)

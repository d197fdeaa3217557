"""The whole local cloud: MiniStack, the proxy before it and the edge, on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path

import psycopg
import uvicorn

from localcloud.dns.query import DnsQuery
from localcloud.dns.world import PublicDns
from localcloud.durations import Clock
from localcloud.edge.app import Edge
from localcloud.edge.pop import NAMES, Pop
from localcloud.emulator import Emulator, answers
from localcloud.front import App, Front, Protocol
from localcloud.physics import Rules
from localcloud.physics.acm import Acm
from localcloud.physics.cloudfront import CloudFront
from localcloud.physics.delegation import OwnNameServers
from localcloud.physics.iam import Iam
from localcloud.physics.keyvaluestore import KeyValueStore
from localcloud.physics.lambda_ import CONCURRENCY, Lambda
from localcloud.physics.network import SecurityGroups, SubnetGroups
from localcloud.physics.rds import Rds
from localcloud.physics.renewal import Certificates
from localcloud.physics.route53 import Route53
from localcloud.physics.s3 import S3
from localcloud.propagation import Propagation
from localcloud.proxy import Proxy
from localcloud.reader import Reader
from localcloud.registrar import Registrar
from localcloud.upstream import Upstream


@dataclass(frozen=True)
class Settings:
    """``propagation``: seconds until a change has reached every point of presence.

    ``time_scale``: how much of AWS's usual time other things take; 0: at once, 1: all of it.
    ``concurrency``: how many functions the account may run at once; 0: see ``physics.lambda_``.
    """

    data_dir: Path
    aws_port: int
    edge_port: int
    postgres_url: str
    propagation: float
    time_scale: float = 0
    concurrency: int = 0
    bind: str = "127.0.0.1"


class Server(uvicorn.Server):
    """Signals are the cloud's business, not one server's."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


class Cloud:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.emulator = Emulator(settings.data_dir, settings.concurrency)
        self.clock = Clock(settings.time_scale)
        self.rds = Rds(settings.postgres_url, self.clock)
        self.registrar = Registrar(settings.data_dir / "registrar.json")
        self.stopping = asyncio.Event()

    async def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit code, 1 when MiniStack ended by itself."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        try:
            await self.emulator.start()
            return await self._serve()
        finally:
            await self.emulator.stop()

    async def _serve(self) -> int:
        reader = Reader(self.emulator.url)
        pops = [Pop(name) for name in NAMES]
        propagation = Propagation(pops, reader, self.settings.propagation)
        await propagation.load()
        instances = await asyncio.to_thread(reader.client("rds").describe_db_instances)
        await asyncio.to_thread(self.rds.reconcile, instances["DBInstances"])
        upstream = Upstream("127.0.0.1", self.emulator.port)
        edge = Edge(pops, upstream, 0 if self.settings.concurrency else CONCURRENCY)
        public = PublicDns(reader, self.registrar, propagation)
        acm = Acm(reader, public, propagation, self.clock, self.settings.data_dir / "acm.json")
        proxy = Proxy(upstream, self._rules(reader, propagation, acm), self._healthy)
        pages: dict[str, App] = {
            "/_localcloud/certificates": Certificates(acm.lifetimes, acm.save),
            "/_localcloud/dns-query": DnsQuery(public),
            "/_localcloud/registrar": self.registrar,
        }
        servers = [
            server(Front(proxy, pages), self.settings.bind, self.settings.aws_port),
            server(edge, self.settings.bind, self.settings.edge_port),
        ]
        running = [asyncio.create_task(each.serve()) for each in servers]
        emulator = asyncio.create_task(self.emulator.wait())
        stopping = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({emulator, stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        for each in servers:
            each.should_exit = True
        await asyncio.gather(*running)
        await upstream.close()
        return 0 if self.stopping.is_set() else 1

    def _rules(self, reader: Reader, propagation: Propagation, acm: Acm) -> Rules:
        return Rules(
            {
                "acm": acm,
                "cloudfront": CloudFront(propagation, self.clock, acm.certificate_names),
                "cloudfront-keyvaluestore": KeyValueStore(propagation),
                "ec2": SecurityGroups(reader),
                "iam": Iam(reader, self.clock),
                "lambda": Lambda(propagation, self.clock, self.settings.concurrency),
                "rds": SubnetGroups(self.rds, reader),
                "route53": OwnNameServers(Route53(reader, self.clock), self.registrar),
                "s3": S3(propagation, self.clock),
            }
        )

    async def _healthy(self) -> dict[str, bool]:
        ministack, edge, postgres = await asyncio.gather(
            answers(self.emulator.port, b"/_ministack/ready"),
            answers(self.settings.edge_port, b"/"),
            self._postgres_answers(),
        )
        return {"ministack": ministack, "edge": edge, "postgres": postgres}

    async def _postgres_answers(self) -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(
                self.settings.postgres_url, connect_timeout=5
            )
        except psycopg.Error:
            return False
        await connection.close()
        return True


def server(app: object, bind: str, port: int) -> Server:
    return Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            host=bind,
            port=port,
            http=Protocol,
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=5,
        )
    )

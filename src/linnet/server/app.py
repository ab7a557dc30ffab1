"""App: the composition root. Config, then backends, then services, then edges, top to bottom.

The only module that names a backend.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import hmac
import logging
import os
import random
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any

import uvicorn

from linnet.server import api
from linnet.server.api.connection import LimitedHttp, give_up_unfinished
from linnet.server.api.services import Services
from linnet.server.backends.codes.console import ConsoleCodes
from linnet.server.backends.disk import secrets
from linnet.server.backends.disk.epoch import EpochFile
from linnet.server.backends.memory.bus import MemoryBus
from linnet.server.backends.memory.rates import MemoryRates
from linnet.server.backends.sqlite.accounts import SqliteAccounts
from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.devices import SqliteDevices
from linnet.server.backends.sqlite.directory import SqliteDirectory
from linnet.server.backends.sqlite.groups import SqliteGroups
from linnet.server.backends.sqlite.keys import SqliteKeys
from linnet.server.backends.sqlite.links import SqliteLinks
from linnet.server.backends.sqlite.registrations import SqliteRegistrations
from linnet.server.backends.sqlite.rosters import SqliteRosters
from linnet.server.backends.sqlite.timeline import SqliteTimeline
from linnet.server.backends.sqlite.tokens import SqliteTokens
from linnet.server.config import Config
from linnet.server.gateway.gateway import Gateway
from linnet.server.gateway.protocol import protocol_class
from linnet.server.ports import Unavailable
from linnet.server.ports.codes import CodeSender
from linnet.server.services.accounts import Accounts, Stores
from linnet.server.services.addresses import Network, networks
from linnet.server.services.admission import Doors
from linnet.server.services.bells import Bells
from linnet.server.services.callers import Callers
from linnet.server.services.certificates import Certificates, issuer
from linnet.server.services.clock import Clock
from linnet.server.services.contacts import Contacts
from linnet.server.services.delivery.inline import Inline
from linnet.server.services.delivery.relay import Relay
from linnet.server.services.delivery.sync import Sync
from linnet.server.services.devices import Devices
from linnet.server.services.group_pages import GroupPages
from linnet.server.services.group_views import GroupViews
from linnet.server.services.groups import Groups
from linnet.server.services.keys import Keys
from linnet.server.services.links import Links
from linnet.server.services.metrics import Metrics
from linnet.server.services.recovery import Recovery
from linnet.server.services.rosters import Rosters
from linnet.server.services.sealed import Sealed
from linnet.server.services.tokens import TokenKeys, Tokens
from linnet.signing.objects import label

_log = logging.getLogger("linnet.server")

FORGET_EVERY_S = 300
"""How often expired attempts and logins are dropped."""
KEEP_LONGER_DAYS = 2
_WAITING = (
    "old messages are kept for now: %s. Look at the clock, then start once with --trust-clock."
)
HTTP_WITHIN_S = 5
"""How long a stopping server waits for HTTP requests under way."""
GC_THRESHOLDS = (50_000, 50, 100)
"""A full collection over the objects of 20,000 sockets takes 0.2 s, so it must be rare."""


class Server:
    """A whole server in this process: `async with Server(config) as server: server.url`.

    Raises InUse (another server has the directory), NewerSchema, OSError for the port, or
    ValueError for a trusted proxy that is no network.
    """

    def __init__(
        self,
        config: Config,
        codes: CodeSender | None = None,
        clock: Clock | None = None,
        rng: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.config = config
        self.port = config.port
        self._codes = codes or ConsoleCodes(config.codes_file)
        self._clock = clock or Clock()
        self._rng = rng
        self._stack = AsyncExitStack()
        self._ready = False

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Server:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def _start(self) -> None:
        """Each resource is closed in the reverse of the order in which it was opened."""
        config, clock, stack = self.config, self._clock, self._stack
        trusted = networks(config.trusted_proxies)
        # backends
        file = config.data / "linnet.db"
        is_new = not file.exists() or not file.stat().st_size
        database = Database(file)
        await database.open()
        stack.push_async_callback(database.close)
        keys = secrets.load(config.data / "secrets", self._rng, may_make=is_new)
        epochs = EpochFile(config.data / "epoch")
        if config.restored:
            epochs.restored(clock.wall_ms())
        devices = SqliteDevices(database)
        accounts = SqliteAccounts(database)
        timeline = SqliteTimeline(database, epochs=epochs)
        rates, bus = MemoryRates(), MemoryBus()
        # services
        delivery = Inline(timeline, bus, config.delivery, clock)
        await delivery.open()
        stack.push_async_callback(_closed_quietly, timeline)
        tokens = Tokens(
            SqliteTokens(database),
            devices,
            config.accounts,
            TokenKeys(keys.access, keys.refresh),
            clock.wall_ms,
            restored_ms=epochs.restored_ms,
        )
        logs, directory = SqliteGroups(database), SqliteDirectory(database)
        rosters = Rosters(logs, SqliteRosters(database), directory, delivery.change_roster)
        relay = Relay(devices, delivery.change_set, rosters)
        pre_keys = SqliteKeys(database)
        stores = Stores(accounts, devices, SqliteRegistrations(database), pre_keys)
        doors = Doors(devices, pre_keys, tokens)
        bells = Bells(config.links.waiting_most)
        registering = Accounts(
            stores,
            rates,
            self._codes,
            tokens,
            config.accounts,
            config.keys,
            keys.pepper,
            clock.wall_ms,
            self._rng,
            relay.carry,
        )
        lists = Devices(devices, accounts, doors, clock.wall_ms, relay.carry)
        bundles = Keys(pre_keys, devices, rates, config.keys, clock.wall_ms)
        certified = issuer(keys.certificates, self._rng)
        services = Services(
            accounts=registering,
            recovery=Recovery(
                registering,
                accounts,
                devices,
                doors,
                config.keys,
                clock.wall_ms,
                relay.carry,
            ),
            tokens=tokens,
            callers=Callers(tokens, rates, config.accounts, clock.wall_ms),
            devices=lists,
            links=Links(
                SqliteLinks(database),
                devices,
                accounts,
                doors,
                rates,
                config.links,
                config.keys,
                clock.wall_ms,
                bells,
                relay.carry,
            ),
            groups=Groups(logs, directory, rosters, rates, config.groups, clock.wall_ms),
            group_views=GroupViews(logs, rosters, config.groups),
            group_pages=GroupPages(logs, delivery.group_messages),
            keys=bundles,
            sealed=Sealed(accounts, lists, bundles, delivery, rates, config.sealed, clock.wall_ms),
            certificates=Certificates(certified, devices, clock.wall_ms, self._rng),
            contacts=Contacts(accounts, rates, config.keys, keys.pepper, clock.wall_ms),
            sync=Sync(timeline, accounts, config.delivery),
        )
        # edges
        gateway = Gateway(
            config.gateway,
            config.delivery,
            delivery,
            timeline,
            tokens.verify,
            hmac.digest(keys.access, label("head"), hashlib.sha256),
            clock,
            random.Random(self._rng(8)),
        )
        tokens.on_revoked = gateway.revoke
        metrics = _observe(gateway, delivery)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(delivery.run())
        stack.callback(delivery.stop)
        tasks.create_task(gateway.run(bus))
        stack.callback(gateway.stop)
        housekeeping = tasks.create_task(self._housekeeping(services, timeline, relay))
        stack.callback(housekeeping.cancel)
        sweeping = tasks.create_task(give_up_unfinished())
        stack.callback(sweeping.cancel)
        await relay.carry_all()
        if config.restored:
            await delivery.begin_epoch()
        app = api.build(services, lambda: self._ready, config.request_bytes, metrics, trusted)
        await self._listen(app, gateway, services, trusted)
        self._ready = True

    async def _listen(
        self, app: Any, gateway: Gateway, services: Services, trusted: tuple[Network, ...]
    ) -> None:
        """Serve HTTP and sockets on one port; on the way out, stop listening, then drain."""
        config = uvicorn.Config(
            app,
            ws=protocol_class(gateway, trusted),
            http=LimitedHttp,
            timeout_graceful_shutdown=HTTP_WITHIN_S,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # uvicorn would believe every process of this machine
            backlog=4096,
        )
        config.load()
        edge = uvicorn.Server(config)
        edge.lifespan = config.lifespan_class(config)
        listener = _bind(self.config.host, self.config.port)
        self.port = listener.getsockname()[1]
        await edge.startup(sockets=[listener])

        async def leave() -> None:
            self._ready = False
            services.links.stop()
            for server in edge.servers:
                server.close()
            await gateway.drain()
            await edge.shutdown(sockets=[listener])

        self._stack.push_async_callback(leave)

    async def _housekeeping(
        self, services: Services, timeline: SqliteTimeline, relay: Relay
    ) -> None:
        """Forget what has expired, carry what was left. A full disk only postpones it."""
        keep_ms = (self.config.delivery.keep_days + KEEP_LONGER_DAYS) * 24 * 3600 * 1000
        retain_in_s = 0
        trust_clock = self.config.trust_clock
        while True:
            with suppress(Unavailable):
                await relay.carry_all()
                await services.accounts.forget()
                await services.links.forget()
                await services.tokens.forget()
                if retain_in_s <= 0:
                    retain_in_s = self.config.delivery.retain_every_s
                    now_ms = self._clock.wall_ms()
                    retained = await timeline.retain(now_ms, keep_ms, trust_clock)
                    trust_clock = False
                    if retained.waiting:
                        _log.warning(_WAITING, retained.waiting)
            await asyncio.sleep(FORGET_EVERY_S)
            retain_in_s -= FORGET_EVERY_S


def run(config: Config, announce: Callable[[Server], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return. `announce` is told when it listens."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(config, announce))


async def _serve(config: Config, announce: Callable[[Server], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Server(config) as server:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        announce(server)
        await stop.wait()


def _observe(gateway: Gateway, delivery: Inline) -> Metrics:
    """Metrics fed by the edge and by delivery; neither knows what counts them."""
    metrics = Metrics()
    metrics.active_connections.set_function(lambda: gateway.sockets)
    gateway.on_open = metrics.connections.inc
    gateway.on_close = lambda name: metrics.connection_errors.labels(name or "normal").inc()
    gateway.on_refused = lambda code: metrics.delivery_failures.labels(code).inc()
    gateway.on_latency_ms = metrics.message_delivery_latency_ms.observe
    delivery.on_commit = lambda commit: metrics.committed(commit.accepted, commit.seconds)
    return metrics


async def _closed_quietly(timeline: SqliteTimeline) -> None:
    """Fold at the end; what a full disk keeps from being folded is recovered at the next start."""
    with suppress(Unavailable):
        await timeline.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((host, port))
    return listener

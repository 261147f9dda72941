"""Sending to webhooks: a courier for each endpoint, so that none waits for another's troubles."""

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from pydantic_core import to_json

from services.notify.commands.webhook_notice import tell_switched_off
from services.notify.commands.webhooks import Hooks, existing
from services.notify.domain.webhooks import (
    Outcome,
    Secret,
    headers,
    next_attempt,
    retry_after,
    told,
)
from services.notify.store import webhook_deliveries, webhooks
from services.notify.store.webhook_deliveries import Attempt, Delivery
from services.notify.store.webhooks import Endpoint
from shared.access import Principal
from shared.addresses import Blocked
from shared.http import now
from shared.postgres import Database
from shared.process import cancel
from shared.sweeping import in_batches
from shared.waiting import moment
from shared.wire import Answer, NoAnswer

ROUND = 64
"""Attempts at one endpoint that are noted together, each of another aggregate..."""
AT_ONCE = 16
"""... and so many of them at the same time."""
COURIERS_MAX = 200
LOOK_SECONDS_MIN, LOOK_SECONDS_MAX = 0.1, 10.0
"""Between two looks, when woken all the time, and when nobody ever is; what another process queued
it delivers itself, or the bell tells."""
HEAD_LENGTH_MAX = 4_000
KEPT = timedelta(days=30)
BATCH_SIZE_MAX = 1_000
TEST = "tradewind.webhook.tested.v1"


@dataclass(frozen=True, slots=True)
class _Tried:
    """One attempt: the row of the log without its delivery's fate, and what came of it."""

    delivery: Delivery
    outcome: Outcome
    at: datetime
    milliseconds: int
    failure: str | None
    request_head: str
    response_head: str

    @property
    def refusals(self) -> int:
        return self.delivery.refusals + self.outcome.is_refusal

    def attempt(self, state: str, again: datetime | None) -> Attempt:
        return Attempt(
            delivery=self.delivery.id,
            state=state,
            refusals=self.refusals,
            next_attempt_at=again,
            at=self.at,
            milliseconds=self.milliseconds,
            status=self.outcome.status,
            failure=self.failure,
            request_head=self.request_head[:HEAD_LENGTH_MAX],
            response_head=self.response_head[:HEAD_LENGTH_MAX],
        )


class Couriers:
    """Deliver what is due, at least once and under one id. Any number of processes may."""

    def __init__(self, database: Database, hooks: Hooks) -> None:
        self._database = database
        self._hooks = hooks

    async def run(self) -> None:
        """Deliver for ever: a courier goes to each endpoint that has something due.

        Woken by what is queued, by a courier that is back, as something may have been queued behind
        it, and by the clock when the next attempt is due.
        """
        under_way: dict[UUID, asyncio.Task[None]] = {}
        woken = self._hooks.bell.queued
        try:
            while True:
                woken.clear()
                async with self._database.reading() as connection:
                    due = await webhooks.due(connection)
                at = now()
                for id_, from_ in due.items():
                    if from_ <= at and id_ not in under_way and len(under_way) < COURIERS_MAX:
                        under_way[id_] = asyncio.create_task(self.serve(id_))
                        under_way[id_].add_done_callback(lambda _: woken.set())
                await asyncio.sleep(LOOK_SECONDS_MIN)
                await moment(woken, _seconds_until(at, due.values()))
                for id_ in [id_ for id_, task in under_way.items() if task.done()]:
                    under_way.pop(id_).result()
        finally:
            await cancel(under_way.values())

    async def due(self, at: datetime) -> list[UUID]:
        """List the endpoints that something is to be sent to at a time."""
        async with self._database.reading() as connection:
            due = await webhooks.due(connection)
        return [id_ for id_, from_ in due.items() if from_ <= at]

    async def serve(self, webhook_id: UUID) -> None:
        """Deliver to one endpoint until nothing is due there, or it has to rest."""
        while await self.round(webhook_id, now()):
            pass

    async def round(self, webhook_id: UUID, at: datetime) -> int:
        """Make some attempts at one endpoint, note what came of them, and count them."""
        async with self._database.transaction() as connection:
            endpoint = await webhooks.endpoint(connection, webhook_id, at)
            if endpoint is None:
                return 0
            # After a failure one goes ahead, to see whether it is over.
            limit = 1 if endpoint.health.failures else ROUND
            claimed = await webhook_deliveries.claim(connection, webhook_id, at, limit)
        if not claimed:
            return 0
        tried = await self._try_all(endpoint, claimed)
        await self._note(webhook_id, tried)
        return len(tried)

    async def _try_all(self, endpoint: Endpoint, claimed: Sequence[Delivery]) -> list[_Tried]:
        secrets = [
            Secret(scheme, self._hooks.seal.open(sealed, endpoint.id.bytes))
            for scheme, sealed in endpoint.sealed
        ]
        turns = asyncio.Semaphore(AT_ONCE)

        async def in_turn(delivery: Delivery) -> _Tried:
            async with turns:
                return await _try(self._hooks, endpoint.url, secrets, delivery)

        return await asyncio.gather(*map(in_turn, claimed))

    async def _note(self, webhook_id: UUID, tried: Sequence[_Tried]) -> None:
        at = now()
        attempts = []
        for one in tried:
            chance = random.random()  # noqa: S311  # nobody gains by guessing it
            again = next_attempt((one.delivery.attempts, one.refusals), one.outcome, at, chance)
            if one.outcome.is_success:
                attempts.append(one.attempt("delivered", None))
            else:
                attempts.append(one.attempt("waiting" if again else "failed", again))
        async with self._database.transaction() as connection:
            health = await webhooks.health(connection, webhook_id)
            if health is None:
                return
            after = health.after([one.outcome for one in tried], at)
            if after != health:
                await webhooks.set_health(connection, webhook_id, after)
            if after.reason is not None and after.reason != health.reason:
                row = await webhooks.read(connection, webhook_id)
                assert row is not None
                await tell_switched_off(connection, row, after.reason, at)
            await webhook_deliveries.record(connection, attempts)


async def try_out(
    database: Database, hooks: Hooks, who: Principal, id_: UUID, at: datetime
) -> Attempt:
    """Send a test, once, and say what came of it; whatever state the endpoint is in.

    Raises `NotFound` and `Forbidden`.
    """
    event_id = uuid4()
    body = to_json({"type": TEST, "timestamp": at, "data": {"webhook_id": id_}}).decode()
    async with database.transaction() as connection:
        row = await existing(connection, who, id_)
        delivery = await webhook_deliveries.test_fire(connection, id_, (event_id, TEST, body), at)
        sealed = await webhooks.secrets(connection, id_, at)
    secrets = [Secret(scheme, hooks.seal.open(secret, id_.bytes)) for scheme, secret, _ in sealed]
    tried = await _try(hooks, row["url"], secrets, delivery)
    attempt = tried.attempt("delivered" if tried.outcome.is_success else "failed", None)
    async with database.transaction() as connection:
        await webhook_deliveries.record(connection, [attempt])
    return attempt


async def sweep(database: Database, at: datetime) -> None:
    """Forget deliveries that are not kept any longer."""
    await in_batches(
        database,
        lambda connection: webhook_deliveries.forget(connection, at - KEPT, BATCH_SIZE_MAX),
        size=BATCH_SIZE_MAX,
    )


async def _try(hooks: Hooks, url: str, secrets: Sequence[Secret], delivery: Delivery) -> _Tried:
    at, began = now(), time.monotonic()
    body = delivery.body.encode()
    signed = headers(delivery.event_id, body, secrets, at)
    answer: Answer | None = None
    failure = None
    try:
        answer = await hooks.outward.ask("POST", url, headers=signed, content=body)
    except (NoAnswer, Blocked) as error:
        failure = error.code
    return _Tried(
        delivery=delivery,
        outcome=_outcome(answer, at),
        at=at,
        milliseconds=round(1000 * (time.monotonic() - began)),
        failure=failure,
        request_head=told(signed, f"POST {url}"),
        response_head=told(answer.headers, str(answer.status)) if answer else "",
    )


def _seconds_until(at: datetime, due: Iterable[datetime]) -> float:
    """Say how long nobody needs to look; who is due already has a courier, or waits for one."""
    later = [(one - at).total_seconds() for one in due if one > at]
    return min([*later, LOOK_SECONDS_MAX])


def _outcome(answer: Answer | None, at: datetime) -> Outcome:
    if answer is None:
        return Outcome(None)
    return Outcome(answer.status, retry_after(answer.header("retry-after"), at))

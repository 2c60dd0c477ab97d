"""Faults of every kind, one after another and together, drawn by the seed, for minutes."""

import os
import random
import time
from collections.abc import Callable, Mapping

import pytest

from tests.faults.conftest import StartTrial
from tests.faults.failpoints.door import catalogue
from tests.faults.failpoints.order import Action, Moment, Order
from tests.faults.harness.cluster import Cluster
from tests.support.tcp_proxy import TcpProxy

MINUTES = float(os.environ.get("FLOWD_FAULT_MINUTES", "5"))
ROUND_SECONDS = 15.0
DAGS = ("journal_chain", "journal_fan", "journal_flaky", "journal_asking", "journal_callback")

pytestmark = [pytest.mark.soak, pytest.mark.timeout(MINUTES * 60 * 4 + 600)]

Fault = Callable[[Cluster, random.Random], str]


def _kill(cluster: Cluster, deck: random.Random) -> str:
    member = deck.choice([one for one in cluster.members.values() if one.process.is_running])
    member.kill()
    return f"SIGKILL of {member.name}"


def _restart(cluster: Cluster, deck: random.Random) -> str:
    fallen = [one for one in cluster.members.values() if not one.process.is_running]
    for member in fallen:
        member.process.launch()
    return f"restart of {len(fallen)} nodes"


def _freeze(cluster: Cluster, deck: random.Random) -> str:
    member = deck.choice(list(cluster.members.values()))
    if not member.process.is_running:
        return "nothing"
    member.pause()
    time.sleep(deck.uniform(0.5, 6))
    member.resume()
    return f"SIGSTOP of {member.name}"


def _break_wire(cluster: Cluster, deck: random.Random) -> str:
    member = deck.choice(list(cluster.members.values()))
    name, link = deck.choice(list(member.links.items()))
    harm = deck.choice([TcpProxy.sever, TcpProxy.blackhole, TcpProxy.orphan, TcpProxy.refuse])
    link.act(harm)
    time.sleep(deck.uniform(0.1, 5))
    link.heal()
    return f"{harm.__name__} of {member.name}'s {name}"


def _server(cluster: Cluster, deck: random.Random) -> str:
    server = deck.choice(list(cluster.servers))
    if deck.random() < 0.5:
        server.kill()
        time.sleep(deck.uniform(0, 5))
        server.start()
        return f"SIGKILL of {server.name}"
    server.pause()
    time.sleep(deck.uniform(0.5, 5))
    server.resume()
    return f"SIGSTOP of {server.name}"


def _lose(cluster: Cluster, deck: random.Random) -> str:
    doors = deck.sample([door for door in catalogue() if door.kind != "start"], 8)
    orders = [
        Order(
            door=door.name,
            action=deck.choice([Action.FAIL, Action.DROP] if door.kind in ("publish", "ring") else [Action.FAIL]),
            moment=deck.choice(list(Moment)),
            every=deck.randint(2, 6),
        )
        for door in doors
    ]
    for member in cluster.members.values():
        member.order(*orders)
    return f"losses at {len(doors)} doors"


FAULTS: Mapping[Fault, int] = {_kill: 3, _restart: 4, _freeze: 2, _break_wire: 4, _server: 1, _lose: 2}
"""With how often each is drawn."""


def test_a_random_mix(cluster: Cluster, trial: StartTrial, seed: int) -> None:
    end, number = time.monotonic() + MINUTES * 60, 0
    while time.monotonic() < end:
        number += 1
        deck = random.Random(seed + number)
        # A round may well kill one try three times over, which ends it: the budget of lost tries is two.
        with trial(f"random mix, round {number}", may_fail=True, settle_seconds=180) as it:
            until = time.monotonic() + ROUND_SECONDS
            while time.monotonic() < until:
                it.trigger(3, DAGS)
                (fault,) = deck.choices(list(FAULTS), weights=list(FAULTS.values()))
                it.note(fault(cluster, deck))
                time.sleep(deck.uniform(0, 1.5))

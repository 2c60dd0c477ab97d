"""What flowd is to reach on a machine of two cores, as data. Shares are of this machine's limits in the same run."""

from bench.cluster.backend import Backend
from bench.target import AtLeast, AtLeastShare, AtMost, Target

# Both raw forks are named: a small interpreter is the stricter bar, one with a DAG file's imports what a task needs.
TARGETS = (
    Target(scenario="bash_fan", metric="rate", bar=AtLeastShare(0.5, "spawn"), backends=(Backend.SQLITE,)),
    Target(scenario="bash_fan", metric="rate", bar=AtLeastShare(0.4, "spawn"), backends=(Backend.POSTGRES_AMQP,)),
    Target(scenario="noop_fan", metric="rate", bar=AtLeastShare(0.4, "fork")),
    Target(scenario="noop_fan", metric="rate", bar=AtLeastShare(0.4, "fork_sdk")),
    Target(scenario="seq40", metric="time", bar=AtMost(6.0), backends=(Backend.SQLITE,)),
    Target(scenario="seq40", metric="time", bar=AtMost(10.0), backends=(Backend.POSTGRES_AMQP,)),
    Target(scenario="watched", metric="growth", bar=AtMost(1.05)),
    Target(scenario="trigger_to_first", metric="p50", bar=AtMost(12.0)),
    Target(scenario="trigger_to_first", metric="p99", bar=AtMost(50.0)),
    Target(scenario="schedule_lag", metric="p50", bar=AtMost(10.0)),
    Target(scenario="run_size_10000", metric="growth", bar=AtMost(1.3)),
    Target(scenario="mapped_5000", metric="growth", bar=AtMost(1.3)),
    Target(scenario="groups_2000", metric="growth", bar=AtMost(1.3)),
    Target(scenario="read_groups_10000", metric="read_growth", bar=AtMost(1.3)),
    Target(scenario="folder_1000", metric="read_growth", bar=AtMost(1.3)),
    Target(scenario="folder_1000", metric="run_growth", bar=AtMost(1.3)),
    Target(scenario="history", metric="growth", bar=AtMost(1.1)),
    Target(scenario="idle_1", metric="cpu", bar=AtMost(0.5)),
    Target(scenario="idle_1", metric="pss", bar=AtMost(120.0)),
    Target(scenario="idle_200", metric="cpu", bar=AtMost(0.5)),
    Target(scenario="idle_200", metric="pss", bar=AtMost(120.0)),
    Target(scenario="boot", metric="time", bar=AtMost(1500.0)),
    *(Target(scenario="scale_2s_2w", metric=f"gain_{load}", bar=AtLeast(1.0)) for load in ("bash", "noop", "many")),
)

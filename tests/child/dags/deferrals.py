"""Tasks that defer themselves."""

from datetime import UTC, datetime, timedelta

from flowd import DAG, BaseOperator
from flowd.operators.triggers.file import FileTrigger
from flowd.operators.triggers.temporal import DateTimeTrigger
from flowd.sdk.triggers import BaseTrigger

MOMENT = datetime(2100, 1, 1, tzinfo=UTC)


class OwnTrigger(BaseTrigger):
    def serialize(self):
        return f"{__name__}.OwnTrigger", {"when": MOMENT}


class OpaqueTrigger(BaseTrigger):
    def serialize(self):
        return f"{__name__}.OpaqueTrigger", {"thing": object()}


class Deferring(BaseOperator):
    def __init__(self, trigger, method_name="done", timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.trigger, self.method_name, self.wait = trigger, method_name, timeout

    def execute(self, context):
        self.defer(trigger=self.trigger, method_name=self.method_name, kwargs={"words": {"a"}}, timeout=self.wait)

    def done(self, context, event, words=None):
        return [event, sorted(words or [])]


with DAG("deferrals", schedule=None, start_date=datetime(2026, 1, 1)):
    Deferring(task_id="moment", trigger=DateTimeTrigger(MOMENT))
    Deferring(task_id="too_late", trigger=DateTimeTrigger(MOMENT), timeout=timedelta(hours=1))
    Deferring(task_id="ending", trigger=DateTimeTrigger(MOMENT, end_from_trigger=True))
    Deferring(task_id="own", trigger=OwnTrigger())
    Deferring(task_id="library", trigger=FileTrigger("/nowhere"), timeout=timedelta(hours=1))
    Deferring(task_id="opaque", trigger=OpaqueTrigger())
    Deferring(task_id="nowhere", trigger=OwnTrigger(), method_name="nowhere")

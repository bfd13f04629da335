"""Messages of a queue (SQS, which S3 and EventBridge write to): they wake, and are believed in nothing."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlops_assets.jobs.job import OPEN
from mlops_assets.spec import FileSource, ForecastSpec, HttpSource

if TYPE_CHECKING:
    from mlops_assets.jobs.ledger import Ledger
    from mlops_assets.jobs.providers.aws import AwsClient

MOST = 1000
"""Messages that are read at a time; more wait for the next time."""
_AT_ONCE = 10


@dataclass(frozen=True)
class Woken:
    """What the messages of a queue have woken.

    Attributes:
        messages: how many there were.
        jobs: keys of jobs that are looked at now.
        forecasts: names of those whose sources are looked at now.
    """

    messages: int = 0
    jobs: Sequence[str] = ()
    forecasts: Sequence[str] = ()


class EventQueue:
    """A queue of SQS; keys come from the cloud's own variables."""

    def __init__(self, url: str) -> None:
        self.url = url

    def receive(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the messages that are there, some at a time, at most `MOST`.

        Raises:
            ServiceError: the queue cannot be read.
            MissingExtraError: boto3 is not installed.
        """
        read = 0
        while read < MOST:
            asked = {"QueueUrl": self.url, "MaxNumberOfMessages": _AT_ONCE, "WaitTimeSeconds": 0}
            messages = _client(self.url).read("receive_message", **asked).get("Messages", [])
            if not messages:
                return
            read += len(messages)
            yield messages

    def delete(self, messages: Iterable[dict[str, Any]]) -> None:
        """Take messages out of the queue: what they tell of is seen to."""
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        _client(self.url).read("delete_message_batch", QueueUrl=self.url, Entries=entries)


def drain(queue: EventQueue, ledger: "Callable[[], Ledger]", specs: Iterable[ForecastSpec]) -> Woken:
    """Wake what the messages of a queue name, and take them out of it; one that names nothing we know wakes nothing.

    A job is named by its key, its outside name or its outside id; a forecast by its name, or the bucket or host of its
    source.

    Args:
        queue: of messages.
        ledger: opens the ledger of jobs; only asked for where there are messages.
        specs: of the forecasts.

    Raises:
        ServiceError: the queue cannot be read.
    """
    names = {spec.name: _names_of(spec) for spec in specs}
    count, jobs, forecasts = 0, dict[str, None](), dict[str, None]()
    for messages in queue.receive():
        woken = _wake([str(one.get("Body", "")) for one in messages], ledger(), names, "by a message of the queue")
        count += woken.messages
        jobs |= dict.fromkeys(woken.jobs)
        forecasts |= dict.fromkeys(woken.forecasts)
        queue.delete(messages)
    return Woken(count, [*jobs], [*forecasts])


def wake(texts: Sequence[str], ledger: "Ledger", specs: Iterable[ForecastSpec], by: str) -> Woken:
    """Wake what messages name, as `drain` does.

    Args:
        texts: the messages.
        ledger: of jobs.
        specs: of the forecasts.
        by: whom, for the history of the jobs.
    """
    return _wake(texts, ledger, {spec.name: _names_of(spec) for spec in specs}, by)


def _wake(texts: Sequence[str], ledger: "Ledger", names: Mapping[str, Sequence[str]], by: str) -> Woken:
    jobs = []
    for job in ledger.of(states=OPEN):
        if any(_mentions(text, (job.job_key, job.external_name, job.external_id)) for text in texts):
            ledger.wake(job.job_key, message=by)
            jobs.append(job.job_key)
    forecasts = [name for name in names if any(_mentions(text, names[name]) for text in texts)]
    return Woken(len(texts), jobs, forecasts)


def _names_of(spec: ForecastSpec) -> tuple[str, ...]:
    """Return what a message may call a forecast by."""
    source = spec.source
    place = source.path if isinstance(source, FileSource) else source.url if isinstance(source, HttpSource) else ""
    return spec.name, urlsplit(place).netloc


def _mentions(text: str, names: Iterable[str]) -> bool:
    return any(name and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for name in names)


@cache
def _client(url: str) -> "AwsClient":
    from mlops_assets.jobs.providers.aws import AwsClient

    parts = urlsplit(url)
    named = re.search(r"sqs\.([a-z0-9-]+)\.amazonaws\.", parts.netloc)
    region = named[1] if named else os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return AwsClient("sqs", region, f"{parts.scheme}://{parts.netloc}", os.environ)

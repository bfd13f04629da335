"""Any forecasting service over HTTP, as the spec declares it: how it is asked, and where its answers have what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import pandas as pd

from mlops_assets.jobs.job import Job
from mlops_assets.jobs.providers.exchange import Exchange, as_forecasts
from mlops_assets.jobs.providers.placeholders import Values, asked, fill, fill_text
from mlops_assets.jobs.providers.protocol import Inputs, Request, ServiceState, Status, Step
from mlops_assets.jobs.providers.service_errors import NotThereError, WrongAnswerError
from mlops_assets.jobs.providers.web_client import WebClient, value_at
from mlops_assets.spec.external import Rest, filled
from mlops_assets.spec.parts import VARIABLE

_MOST_PAGES = 10_000
_ANSWER = "answer.json"


@dataclass(frozen=True)
class RestService:
    """A service declared in YAML. With `describe` it works on jobs; without, it answers at once with the result."""

    declared: Rest
    environ: Mapping[str, str]
    name: str = field(default="rest", init=False)

    def steps(self, request: Request) -> list[Step]:
        """Return the one step."""
        return [Step("forecast", asked(request))]

    def submit(self, job: Job, inputs: Inputs) -> str:
        """Send the request; what an answer at once says is kept in the exchange."""
        submit, values = self.declared.submit, self._values(job, inputs)
        key = {submit.idempotency_header: job.external_name} if submit.idempotency_header else {}
        where, body = _named(submit.url), fill(filled(submit.body, self.environ), values)
        answer = self._client.change(submit.method, self._url(submit.url, values), where, headers=key, json=body)
        if self.declared.describe is None:
            self._exchange(job).write(f"{job.external_name}/{_ANSWER}", json.dumps(answer).encode())
        if submit.id is None:
            return job.external_name
        return _id_at(answer, submit.id, where)

    def describe(self, job: Job) -> Status:
        """Ask by id, by name, or look for the answer that was given at once."""
        describe, submit = self.declared.describe, self.declared.submit
        if describe is None:
            if self._exchange(job).read(f"{job.external_name}/{_ANSWER}") is None:
                raise NotThereError(f"{_named(submit.url)}: it has not answered yet")
            return Status("succeeded", job.external_id or job.external_name)
        known = job.external_id or ("" if submit.id else job.external_name)
        if known:
            url = self._url(describe.url, self._values(job, external_id=known))
            return self._status(self._client.read(url, _named(describe.url)), known)
        if describe.by_name is None:
            raise NotThereError(f"{_named(describe.url)}: it is not asked by name; submit it once more")
        where, path = _named(describe.by_name), describe.id or submit.id or ""
        found = self._client.read(self._url(describe.by_name, self._values(job)), where)
        if value_at(found, path, where) in (None, ""):
            raise NotThereError(f"{where}: it knows no job {job.external_name}")
        return self.describe(replace(job, external_id=_id_at(found, path, where)))

    def cancel(self, job: Job) -> None:
        """Ask it to stop, where the spec says how."""
        cancel = self.declared.cancel
        if cancel is not None and job.external_id:
            self._client.change(cancel.method, self._url(cancel.url, self._values(job)), _named(cancel.url))

    def collect(self, job: Job) -> pd.DataFrame:
        """Return the rows: of a file in the exchange, of the kept answer, or page after page."""
        result = self.declared.result
        if result.file is not None:
            path = f"{job.external_name}/{result.file}"
            exchange = self._exchange(job)
            return as_forecasts(exchange.read_table(path), exchange.at(path), result.columns)
        records: list[Any] = []
        where = ""
        for where, document in self._pages(job):
            records += _records_of(document, result.records, where)
        try:
            table = pd.DataFrame.from_records(records)
        except (ValueError, TypeError, AttributeError) as error:
            raise WrongAnswerError(f"{where}: its rows are no table: {error}") from None
        return as_forecasts(table, where, result.columns)

    def _pages(self, job: Job) -> list[tuple[str, Any]]:
        describe, result = self.declared.describe, self.declared.result
        if describe is None:
            place = f"{job.external_name}/{_ANSWER}"
            content = self._exchange(job).read(place)
            return [(self._exchange(job).at(place), json.loads(content or b"null"))]
        url: str | None = self._url(result.url or describe.url, self._values(job))
        where = _named(result.url or describe.url)
        pages: list[tuple[str, Any]] = []
        asked_before: set[str] = set()
        while url:
            if url in asked_before or len(pages) >= _MOST_PAGES:
                raise WrongAnswerError(f"{where}: its pages have no end; see external.rest.result.next")
            asked_before.add(url)
            try:
                document = self._client.read(url, where)
            except NotThereError as error:
                raise WrongAnswerError(f"{error.message}, though it said that the job is done") from None
            pages.append((where, document))
            link = value_at(document, result.next, where) if result.next else None
            url = self._client.follow(url, str(link), where) if link else None
        return pages

    def _status(self, document: Any, external_id: str) -> Status:
        describe = self.declared.describe
        assert describe is not None
        where = _named(describe.url)
        word = str(value_at(document, describe.state, where)).casefold()
        states: tuple[ServiceState, ...] = ("running", "succeeded", "failed")
        for state in states:
            if word in {one.casefold() for one in getattr(describe, state)}:
                reason = value_at(document, describe.reason, where) if describe.reason else None
                cost = {name: value_at(document, path, where) for name, path in describe.cost.items()}
                told = self._client.clean(str(reason)) if reason and state == "failed" else ""
                return Status(state, external_id, told, {name: v for name, v in cost.items() if v is not None})
        raise WrongAnswerError(
            f"{where}: its state is {word[:80]!r}, which is none of external.rest.describe.running, succeeded, failed"
        )

    def _values(self, job: Job, inputs: Inputs | None = None, *, external_id: str = "") -> Values:
        found: dict[str, Any] = {name: (lambda value=value: value) for name, value in job.parameters.items()}
        found["name"] = lambda: job.external_name
        found["id"] = lambda: external_id or job.external_id
        found["result_url"] = lambda: self._exchange(job).at(f"{job.external_name}/{self.declared.result.file}")
        if inputs is not None:
            found["rows"] = lambda: _rows(inputs.history())
            found["future"] = lambda: _rows(inputs.future())
            found["data_url"] = lambda: self._hand_over(job, "history.csv", inputs.history())
            found["future_url"] = lambda: self._hand_over(job, "future.csv", inputs.future())
        return found

    def _hand_over(self, job: Job, name: str, table: pd.DataFrame | None) -> str | None:
        if table is None:
            return None
        return self._exchange(job).write_table(f"{job.external_name}/{name}", table)

    def _exchange(self, job: Job) -> Exchange:
        return Exchange(job.parameters["exchange"])

    def _url(self, address: str, values: Values) -> str:
        """Fill an address of the spec. One that the service gives is never filled: it could ask for any variable."""
        return fill_text(filled(address, self.environ), values, _quoted)

    @property
    def _client(self) -> WebClient:
        declared = self.declared
        secrets = tuple(self.environ.get(name, "") for name in VARIABLE.findall(declared.model_dump_json()))
        return WebClient(
            declared.headers, "external.rest.headers", declared.timeout, tuple(declared.hosts), self.environ, secrets
        )


def _named(address: str) -> str:
    """Name a service by an address as it stands in the spec, where a variable is but a name."""
    return f"the service at {address.partition('?')[0]}"


def _quoted(value: str) -> str:
    return quote(value, safe="")


def _id_at(document: Any, path: str, name: str) -> str:
    found = value_at(document, path, name)
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise WrongAnswerError(f"{name}: its answer has no id at {path!r}; see external.rest.submit.id")
    return str(found)


def _rows(table: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    """Return rows as JSON types: times as ISO text, what is missing as null."""
    if table is None:
        return None
    return json.loads(table.to_json(orient="records", date_format="iso", date_unit="s", double_precision=15))


def _records_of(document: Any, path: str | None, where: str) -> list[Any]:
    found = document if path is None else value_at(document, path, where)
    if isinstance(found, dict) and found and all(isinstance(value, list) for value in found.values()):
        if len({len(value) for value in found.values()}) > 1:
            raise WrongAnswerError(f"{where}: its columns differ in length")
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    if not isinstance(found, list):
        raise WrongAnswerError(f"{where}: it has no list of rows{f' at {path!r}' if path else ''}")
    return found

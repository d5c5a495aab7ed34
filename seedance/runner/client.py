"""Makes the calls that a provider's flow describes, over the transport.

It also decides what a failed call means for money.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeVar

from ..errors import OddReply, OutOfCredit, Refused, SeedanceError, Unclear, Unreachable
from ..said import say, template
from ..transport import Gate, Lost, NotSent, Stop, Transport, retry_after, seconds_until
from ..wire import Call, Flow, Pause, Provider, Reply

T = TypeVar("T")

ATTEMPTS = 4
QUOTED_BYTES = 4096  # of the last answer; the rest of it is not kept
FIRST_PAUSE = 0.5  # seconds before the second attempt; each pause is twice the one before


ANSWERED = template("{provider} answered the order with HTTP {status}{tail}")


class Busy(SeedanceError):
    """The provider is busy (429) and accepted nothing. It is safe to try again later."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds


class NoAnswer(SeedanceError):
    """A call that costs nothing got no usable answer. It may be made again."""

    spent_by_default = "unknown"

    def __init__(self, message: str, *, status: int = 0, seconds: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.seconds = seconds


class NoClearAnswer(Unclear):
    """A paid call was sent, and nobody knows what became of it. `answered`: an answer came, which
    does not tell. `seconds`: what it asks to wait. `spent_key`: its idempotency key is of no use
    for it any more."""

    answered = False
    seconds: float | None = None
    spent_key = False


class UnknownTask(SeedanceError):
    """The provider does not know the task (HTTP 404 or 410)."""

    spent_by_default = "unknown"


class Stopped(Exception):
    """The flow was broken off because `stop` was set. Nothing was spent in it."""


class Client:
    """One provider and the transport to it. Safe to use from several threads."""

    def __init__(self, provider: Provider, transport: Transport, account: str = "") -> None:
        self.provider, self.transport, self.account = provider, transport, account
        self.last_reply = Reply(0)

    def run(
        self,
        flow: Flow[T],
        *,
        polling: bool = False,
        stop: Stop | None = None,
        gate: Gate | None = None,
    ) -> T:
        """Make the calls of a flow, give it the replies, and return its result.

        A call that spends is made once and never broken off. Raises NotSent or Busy where it is
        proven that nothing was accepted, Refused for a clear no, Unclear for everything else.
        Other calls are tried a few times, then NoAnswer is raised (NotSent if no connection was
        made); with `polling` they are tried once, and a 404 or 410 raises UnknownTask. Once `stop`
        is set, they raise Stopped. `gate` is asked right before the first byte of the call that
        spends; Withheld is raised if it says no.
        """
        stop = stop or Stop()
        reply: Reply | None = None
        spending: Reply | None = None
        try:
            while True:
                step = next(flow) if reply is None else flow.send(reply)
                if isinstance(step, Pause):
                    if stop.wait(step.seconds):
                        raise Stopped
                    reply = Reply(0)
                elif step.spends:
                    spending = None
                    reply = spending = self._spend(step, gate)
                else:
                    reply = self._ask(step, 1 if polling else ATTEMPTS, stop)
                    read_by_flow = step.any_status or step.may_be_missing
                    if polling and reply.status in (404, 410) and not read_by_flow:
                        said = self.provider.said(reply) or f"HTTP {reply.status}"
                        raise UnknownTask("it does not know the task ({said})", said=said)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except Exception as error:
            told = self._about_money(error, spending) if spending else error
            if told is error:
                raise
            raise told from error

    def ask(self, flow: Flow[T], stop: Stop | None = None) -> T:
        """As `run`, for a flow that costs nothing and whose result is needed now.

        Raises Unreachable where there is no answer, and what the flow itself raises.
        """
        try:
            return self.run(flow, stop=stop)
        except NoAnswer as error:
            raise Unreachable(error.message, hint="It is safe to try again.") from None

    def _about_money(self, error: Exception, spending: Reply) -> Exception:
        """The error to raise in place of `error`, once the paid call was answered with `spending`.

        After a 2xx, only a Refused (the provider's own clear no) means that nothing was accepted.
        """
        if spending.ok and not isinstance(error, Refused):
            said = error.message if isinstance(error, SeedanceError) else repr(error)
            return self._unclear(
                template("{provider} accepted the request, but its answer makes no sense: {said}"),
                spending,
                said=said,
            )
        if isinstance(error, OddReply):
            return Refused(
                "{provider} refused the request (HTTP {status}).",
                hint="Its answer could not be read; check the base URL.",
                provider=self.provider.name,
                status=spending.status,
            )
        return error

    def _unclear(self, what: str, reply: Reply | None = None, **values: object) -> NoClearAnswer:
        error = NoClearAnswer(
            what,
            hint="The order may have been accepted and billed."
            if self.provider.idempotency
            else "The order may have been accepted and billed, so it is not sent again by itself.",
            provider=self.provider.name,
            **values,  # type: ignore[arg-type]
        )
        if reply is not None:
            error.answered, error.seconds = True, retry_after(reply)
            error.spent_key = self.provider.about_key(reply) == "spent"
        return error

    def _spend(self, call: Call, gate: Gate | None) -> Reply:
        try:
            reply = self.transport.perform(call, gate=gate)
        except NotSent:
            raise
        except Lost as error:
            what = template("{provider} may have received the order: {said}")
            raise self._unclear(what, said=error.message) from None
        except OddReply as error:
            what = template("{provider} gave an answer that cannot be read: {said}")
            raise self._unclear(what, said=error.message) from None
        said = self.provider.said(reply)
        tail = f": {said}" if said else "."
        told = {"status": reply.status, "tail": tail}
        if not reply.ok and self.provider.about_key(reply) != "nothing":
            raise self._unclear(ANSWERED, reply, **told)
        if reply.status == 429:
            if self.provider.quota_used_up(reply):
                raise OutOfCredit(
                    "{provider} says that a quota is used up{tail}",
                    hint=self.provider.credit,
                    provider=self.provider.name,
                    tail=tail,
                )
            raise Busy(
                say("{provider} is busy (HTTP 429){tail}", provider=self.provider.name, tail=tail),
                retry_after(reply),
            )
        if reply.status in (408, 409) or reply.status >= 500 or reply.status < 200:
            raise self._unclear(ANSWERED, reply, **told)
        if 300 <= reply.status < 400:
            raise Refused(
                "{provider} redirects the order (HTTP {status}); an order is never sent on.",
                hint="Check the base URL.",
                provider=self.provider.name,
                status=reply.status,
            )
        return reply

    def _ask(self, call: Call, attempts: int, stop: Stop) -> Reply:
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = self.transport.perform(call, stop)
                self.last_reply = replace(reply, body=reply.body[:QUOTED_BYTES])
                problem = None if call.any_status else self._transient(reply)
                if problem is None:
                    return reply
            except NotSent as error:
                if (attempt == attempts or error.setting) and not stop.is_set():
                    raise
                problem = NoAnswer(error.message)
            except Lost as error:
                problem = NoAnswer(error.message)
                if call.once:
                    attempts = attempt
            if stop.is_set():
                raise Stopped
            if attempt == attempts:
                raise problem
            if stop.wait(max(problem.seconds or 0.0, FIRST_PAUSE * 2 ** (attempt - 1))):
                raise Stopped

    def _transient(self, reply: Reply) -> NoAnswer | None:
        if (
            reply.status < 500
            and reply.status not in (408, 425, 429)
            and not 300 <= reply.status < 400
        ):
            return None
        said = self.provider.said(reply)
        return NoAnswer(
            say(
                "{provider} answered HTTP {status}{tail}",
                provider=self.provider.name,
                status=reply.status,
                tail=f": {said}" if said else ".",
            ),
            status=reply.status,
            seconds=retry_after(reply),
        )

    def clocks_agree(self, within: float) -> bool:
        """Whether the last answer was dated within so many seconds of our clock."""
        ahead = seconds_until(self.last_reply.headers.get("date", ""))
        return ahead is not None and abs(ahead) < within

    def quote_last_reply(self) -> str:
        """The last answer, for the log: shortened, and without addresses, because the address of a
        result is all that is needed to fetch it."""
        text = self.last_reply.body.decode("utf-8", "replace")
        return re.sub(r"https?:[^\s\"'<>]+", "(an address)", text, flags=re.IGNORECASE)[:1000]

"""The class that each provider is a subclass of, what it is configured with and what it is given,
and the steps that most flows are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from ..errors import BadOrder, OddReply, OutOfCredit, Refused, SeedanceError
from ..money import Money
from ..order import Kind, Order
from ..said import Said, both, say, template
from ..texts import LONGEST_CODE, shown
from .assets import AssetLibrary
from .calls import Blob, Call, Flow, Reply
from .extra import add_extra
from .limits import Delivery, Limits, ModelLimits
from .reading import error_code, error_text, plain_word, text_at
from .statuses import Cancelling, CannotCancel, Running, Status, TaskCancelled, Ticket, Words

# What a provider may leave out. It has those that its class defines.
Capability: TypeAlias = Literal[
    "upload",
    "cancel",
    "find",
    "recent",
    "finish",
    "probe_key",
    "estimate",
    "live_price",
    "catalog",
    "idempotency",
    "assets",
]

NO_NAMES: Mapping[str, str] = MappingProxyType({})
NO_CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType({})
# The statuses by which an API says that it does not cancel a task. Any other is an error of the
# request.
NOT_CANCELLED = (400, 404, 405, 409, 410, 422)
DID_NOT_CANCEL = template("{provider} did not cancel the task: {said}")


@dataclass(frozen=True)
class Config:
    """What the user configured for a provider; never a workflow's doing, and never the key.

    `models` replaces provider model ids; `options` are the provider's own switches, by their name
    in the environment, lower case (`create_path` for `SEEDANCE_UNIALL_CREATE_PATH`). `catalog` is
    what the provider's `catalog` gave lately, empty where it has none. `asset_url` is where its
    asset library is, None where it has none.
    """

    base_url: str
    upload_url: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    history_url: str | None = None
    catalog: Mapping[str, Any] = field(default_factory=dict)
    asset_url: str | None = None


@dataclass(frozen=True)
class Idempotency:
    """A header by which the same create may be sent twice and is made once: its value is the
    order's mark. `seconds`: for how long after the first sending that is surely so."""

    header: str
    seconds: float


# What an answer to a create says about its idempotency key: nothing; an earlier create with the key
# is still open, so that the same one is to be sent again later; the key can serve this create no
# more, so that to send it again is no use.
AboutKey: TypeAlias = Literal["nothing", "open", "spent"]


@dataclass(frozen=True)
class Uploaded:
    """What the provider calls a medium that went up: an address or an id. Raises OddReply for an
    empty one.

    `expires_at`: Unix seconds until which it can be used again, None where no document says.
    """

    reference: str
    expires_at: float | None = None

    def __post_init__(self) -> None:
        if not self.reference:
            raise OddReply("The answer to the upload carries no address.")


@dataclass(frozen=True)
class Delivered:
    """The media of an order as the provider can read them: addresses, data URIs or ids."""

    first_frame: str | None = None
    last_frame: str | None = None
    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    audios: tuple[str, ...] = ()
    video: str | None = None


@dataclass(frozen=True)
class Balance:
    """What the account has left, and a name (at most 100 letters) to recognise it by."""

    account: str
    left: Money | None = None

    def __post_init__(self) -> None:
        account = Said.of(self.account).each(lambda text: shown(text[:LONGEST_CODE]))
        object.__setattr__(self, "account", account)


class Provider(ABC):
    """One service that makes Seedance videos. `providers/new_provider.md` tells how to add one."""

    id: ClassVar[str]
    name: ClassVar[str]
    key_variable: ClassVar[str | None]
    default_base_url: ClassVar[str | None]
    # How it is known that pictures and clips of real people are refused: `documented` by the
    # provider or `reported` by others; empty where nobody tells.
    refuses_people: ClassVar[Literal["documented", "reported", ""]] = ""
    # Where a person makes a key, or, where no document names that page, the service's own site.
    key_page: ClassVar[str | None] = None
    default_upload_url: ClassVar[str | None] = None
    # The host that `find` reads, where it is neither of the two.
    default_history_url: ClassVar[str | None] = None
    # Of a provider with an asset library: its host, and the variables of the signing key's id and
    # secret, which alone are sent there.
    default_asset_url: ClassVar[str | None] = None
    asset_key_variables: ClassVar[tuple[str, ...]] = ()
    limits: Limits  # of the class; an instance adds the models that its configuration names
    # The header that the key stands in, and the word before it; an empty word for none.
    auth_header: ClassVar[str] = "Authorization"
    auth_scheme: ClassVar[str] = "Bearer"
    options: ClassVar[tuple[str, ...]] = ()
    # Those of `options` that the settings offer, each with its values, the default first.
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = NO_CHOICES
    # Whether it offers only the models that a person named an id for (`SEEDANCE_<ID>_MODELS`).
    names_no_models: ClassVar[bool] = False
    # True only where a document says that a cancelled task is not billed.
    cancel_is_free: ClassVar[bool] = False
    # A cancel is a request, whose answer does not tell whether the task stops, nor what is billed.
    # It is sent for a person who cancels that very task, not where a wait is interrupted.
    cancel_is_request: ClassVar[bool] = False
    # Numbers of which each order gets one of its own as its `mark`: it is sent with the order, and
    # the provider's list of tasks gives it back. Empty where no document has such a field.
    marks: ClassVar[range] = range(0)
    # The `mark` is a random text instead, which is sent with the order or as its idempotency key.
    random_mark: ClassVar[bool] = False
    # The paid call is kept in the journal until its outcome is known: `find` compares tasks with
    # it, or it is sent again with the same idempotency key.
    keeps_create: ClassVar[bool] = False
    idempotency: ClassVar[Idempotency | None] = None
    # For how long `find` may find a task, in seconds after it was created; None for as long as it
    # is known.
    found_for: ClassVar[float | None] = None
    # Where a person sees which tasks were made, or what was spent.
    where_to_look: ClassVar[Said] = Said("")
    # What is to be known of every price, one sentence.
    price_note: ClassVar[Said] = Said("")

    _capabilities: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        below = (base for base in cls.__mro__ if base not in Provider.__mro__)
        defined = {name for base in below for name in vars(base)}
        cls._capabilities = frozenset(defined.intersection(get_args(Capability)))

    def __init__(self, config: Config, mark: str = "") -> None:
        self.config = config
        self.mark = mark
        if config.models:
            self.limits = self.limits.with_models(config.models)
        if self.names_no_models:
            offered = {name: self.limits.models[name] for name in config.models}
            self.limits = replace(self.limits, models=offered)

    @classmethod
    def can(cls, capability: Capability) -> bool:
        """Whether the provider has an optional capability, such as `find`."""
        return capability in cls._capabilities

    @classmethod
    def lacks(cls, model: str) -> Said:
        """Why it does not offer a model, without a full stop."""
        if cls.names_no_models:
            variable = f"SEEDANCE_{cls.id.upper()}_MODELS"
            return say("{variable} names no id for {model}", variable=variable, model=model)
        return say("{provider} does not have {model}", provider=cls.name, model=model)

    # -- what every provider describes

    @property
    def words(self) -> Words:
        """The status words that the provider documents, for `standing`."""
        return {}

    @abstractmethod
    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        """Create the task. Exactly one Call has `spends=True`.

        Raises Refused (or a kind of it) for a clear no, OddReply for a 2xx that makes no sense.
        """

    def making(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        """`submit`, or `finish` for an order that is for the final video of a draft."""
        if order.draft_of:
            return self._final(order)
        return self.submit(order, delivered)

    def _final(self, order: Order) -> Flow[Ticket]:
        """`finish`, with what is to be known of drafts beside a refusal: the words of providers
        seldom tell a draft that is too old from a wrong value."""
        try:
            return (yield from self.finish(order, Ticket.parse(order.draft_of, known=True)))
        except Refused as error:
            if type(error) is Refused and self.key_variable is not None:
                life = self.limits.draft_life
                drafts = say(
                    "A draft can be finished for {days} days, by the account that made it. If this "
                    "one is too old, make a new one."
                    if life
                    else "A draft can be finished for some days, by the account that made it. If "
                    "this one is too old, make a new one.",
                    days=f"{(life or 0.0) / 86400:g}",
                )
                error.hint = both(drafts, error.hint)
            raise

    @abstractmethod
    def check(self, ticket: Ticket) -> Flow[Status]:
        """Ask once how the task stands. Raises what `explain` gives for an HTTP error."""

    # -- what some of them offer

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        """Send one picture, clip or sound up. Raises BadOrder where there is no upload."""
        raise BadOrder("{provider} has no upload for this kind of file.", provider=self.name)
        yield  # makes this a generator

    def finish(self, order: Order, draft: Ticket) -> Flow[Ticket]:
        """Create the final video of a draft, in the order's resolution. One Call has `spends=True`.
        Raises as `submit` does, and BadOrder where there are no drafts."""
        raise BadOrder("{provider} has no drafts.", provider=self.name)
        yield

    def finals(self, model: str) -> tuple[str, ...]:
        """The resolutions that a draft of a model can be finished in, as configured."""
        return self.limits.models[model].finals if model in self.limits.models else ()

    def cancel(self, ticket: Ticket) -> Flow[Cancelling]:
        """Ask the provider to cancel. CancelRequested where its answer does not say that the task
        has stopped."""
        return CannotCancel(
            say("{provider} documents no way to cancel a task.", provider=self.name)
        )
        yield

    def probe_key(self) -> Flow[Balance]:
        """Check the key free of charge; says whose it is. Raises Refused if it is not taken."""
        raise BadOrder("{provider} documents no free way to test a key.", provider=self.name)
        yield

    def find(
        self, order: Mapping[str, Any], since: float, create: Call | None = None
    ) -> Flow[Ticket | None]:
        """Look in the provider's list for the task that was created with `mark`, at about `since`
        (Unix seconds). `order` has the fields that `Order.describe` gives, `create` is the paid
        call where it is kept. None means that it is not there now, which proves nothing.

        Raises BadOrder where nothing lists tasks, Unclear where several tasks have the mark.
        """
        raise BadOrder("{provider} has no list of tasks to look into.", provider=self.name)
        yield

    def recent(self, since: float) -> Flow[list[Ticket]]:
        """The tasks of the account in the provider's list that were created after `since` (Unix
        seconds), as far back as it goes; those of others who use the account too. Raises BadOrder
        where nothing lists tasks."""
        raise BadOrder("{provider} has no list of tasks to look into.", provider=self.name)
        yield

    def repeat(self, create: Call) -> Flow[Ticket]:
        """Send a create again that may have arrived, with its idempotency key. Raises as `submit`
        does."""
        return self.ticket((yield create))

    def about_key(self, reply: Reply) -> AboutKey:
        """What an answer to a create other than 2xx says about its idempotency key."""
        return "nothing"

    def catalog(self) -> Flow[dict[str, Any]]:
        """What the provider says now of its models and prices, as small JSON, free of charge; it
        comes back as `Config.catalog`. Raises BadOrder where there is no such list."""
        raise BadOrder("{provider} has no list of what it can do.", provider=self.name)
        yield

    def assets(self) -> AssetLibrary:
        """The provider's library of assets. Raises BadOrder where it has none."""
        raise BadOrder("{provider} has no asset library.", provider=self.name)

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        """The price of a fitted order by the published list, or None if there is none. It follows
        from its arguments, and from `Config.catalog` where there is one.

        `clip_seconds`: how long the order's clips are together, None where that is not known; then
        the longest that the provider takes are counted, so that a budget holds.
        """
        return None

    def live_price(self, order: Order, clip_seconds: float | None = None) -> Flow[Money | None]:
        """The price of an order by what the provider publishes now, None where its answer does not
        tell. At most one Call, which is free and sent without the key (`auth=False`); its address
        follows from the model and the mode alone, because the answer is kept by it.

        Arguments as of `estimate`. Only where a document says what the answer's fields mean.
        """
        return None
        yield

    # -- the steps that most flows are made of

    def read(self, reply: Reply) -> dict[str, Any]:
        """The JSON object in an answer. Raises what `explain` gives for an HTTP error, OddReply for
        anything else."""
        if not reply.ok:
            raise self.explain(reply)
        return reply.object()

    def ask(self, call: Call) -> Flow[dict[str, Any]]:
        """Make one call that costs nothing; returns the JSON object in its answer. Raises as
        `read` does."""
        return self.read((yield call))

    def create(
        self,
        url: str,
        body: dict[str, Any],
        extra: Mapping[str, Any],
        *,
        into: dict[str, Any] | None = None,
        others: Mapping[str, str] = NO_NAMES,
    ) -> Flow[Ticket]:
        """Make the call that costs money; returns the ticket. The arguments are those of
        `paid_call`, the errors those of `paid_call` and `ticket`."""
        return self.ticket((yield self.paid_call(url, body, extra, into=into, others=others)))

    def paid_call(
        self,
        url: str,
        body: dict[str, Any],
        extra: Mapping[str, Any],
        *,
        into: dict[str, Any] | None = None,
        others: Mapping[str, str] = NO_NAMES,
        headers: Mapping[str, str] = NO_NAMES,
        query: Mapping[str, str] = NO_NAMES,
    ) -> Call:
        """A create: `body` as JSON, with the user's `extra` fields added in place.

        They go into the part `into` of the body, where that is not the body itself. `others` are
        other names that the provider has for fields of the body. Raises BadOrder for an extra field
        that may not be set.
        """
        where = body if into is None else into
        add_extra(where, extra, f"extra.{self.id}", others=others, whole=body)
        if self.idempotency is not None and self.mark:
            headers = {**headers, self.idempotency.header: self.mark}
        return Call("POST", url, json=body, headers=headers, query=query, spends=True)

    def ticket(self, reply: Reply) -> Ticket:
        """The ticket in the answer to a create, by default for its `id`. Raises what `explain`
        gives for a clear no, OddReply where there is no id."""
        return Ticket.issue(self.id, self.read(reply).get("id"))

    def standing(
        self, task: dict[str, Any], progress: float | None = None, *, at: str = "status"
    ) -> Status:
        """How a task stands, by the status word in the field `at`. A word that is not among `words`
        counts as running. `progress` is 0..1, for a task that runs. Raises OddReply where there is
        no word."""
        word = plain_word(task.get(at))
        if not word:
            raise OddReply(
                "{provider}'s answer about the task has no {at}.", provider=self.name, at=at
            )
        meaning = self.words.get(word, Running(unknown=text_at(task, at)))
        status = meaning(task) if callable(meaning) else meaning
        if isinstance(status, Running) and progress is not None:
            return replace(status, progress=progress)
        return status

    def cancelled(
        self, reply: Reply, refusal: str = DID_NOT_CANCEL
    ) -> TaskCancelled | CannotCancel:
        """What the answer to a cancel means. `refusal` is the template where it did not cancel, of
        `provider` and what it `said`. Raises what `explain` gives for errors that are not about the
        task."""
        if reply.ok:
            return TaskCancelled()
        if reply.status not in NOT_CANCELLED:
            raise self.explain(reply)
        said = self.said(reply) or f"HTTP {reply.status}"
        return CannotCancel(say(refusal, provider=self.name, said=said))

    # -- reading answers

    def said(self, reply: Reply) -> str:
        """The sentence in an error answer, empty where there is none. Looked for in all usual
        places; one line of at most 400 characters."""
        return error_text(reply)

    def explain(self, reply: Reply) -> SeedanceError:
        """The error that an answer other than 2xx stands for, in words for a person.

        By default: 401 and 403 speak of the key, 402 of credit; the provider's own sentence is
        always part of it.
        """
        said = self.said(reply)
        tail = f": {said}" if said else "."
        if reply.status in (401, 403):
            return Refused(
                "{provider} refused the key (HTTP {status}){tail}",
                hint="Correct {key_variable} where it is set in the environment; replace a "
                "stored key with: seedance key set {id}.",
                provider=self.name,
                status=reply.status,
                tail=tail,
                key_variable=self.key_variable,
                id=self.id,
            )
        if reply.status == 402:
            return OutOfCredit(
                "{provider} says there is no credit left{tail}",
                hint=self.credit,
                provider=self.name,
                tail=tail,
            )
        return Refused(
            "{provider} refused the request (HTTP {status}){tail}",
            provider=self.name,
            status=reply.status,
            tail=tail,
        )

    @property
    def credit(self) -> Said:
        """What to do where credit or a quota is used up."""
        return say(
            "Add credit, or raise the limit, at {provider}; then send the order again.",
            provider=self.name,
        )

    def quota_used_up(self, reply: Reply) -> bool:
        """Whether a 429 means that a quota is used up, so that waiting does not help."""
        code = error_code(reply).lower()
        return any(word in code for word in ("quota", "insufficient", "balance", "billing"))

    # -- small helpers

    def url(self, path: str) -> str:
        """`path` under the configured base URL."""
        return self.config.base_url.rstrip("/") + path

    def upload_url(self, path: str) -> str:
        """`path` at the configured upload host; under the base URL where that is the same."""
        host = self.config.upload_url or self.default_upload_url or self.config.base_url
        return host.rstrip("/") + path

    def history_url(self, path: str) -> str:
        """`path` at the host of the history; under the base URL where that is the same."""
        host = self.config.history_url or self.default_history_url or self.config.base_url
        return host.rstrip("/") + path

    def extra(self, order: Order) -> Mapping[str, Any]:
        """The fields that the user adds for this provider."""
        return order.extra.get(self.id, {})

    def delivery(self, kind: Kind) -> tuple[Delivery, ...]:
        """How a medium of this kind may reach the provider as configured, best first."""
        return self.limits.delivery.get(kind, ())

    def model(self, order: Order) -> ModelLimits:
        """The limits of the order's model."""
        return self.limits.models[order.model]

    def model_id(self, order: Order, mode: str = "") -> str:
        """The provider's id for the order's model, with the user's replacement if there is one."""
        template = self.config.models.get(order.model) or self.model(order).id
        return template.replace("{resolution}", order.resolution).replace("{mode}", mode)

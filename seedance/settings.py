"""Keys, addresses and folders: from the environment first, then from the key file.

This decides where a key comes from, and to which origin it may go.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from . import catalogs, providers
from .addresses import ForbiddenAddress, check_base_url, check_public_url, is_loopback, origin
from .errors import BadOrder, NeedsKey
from .key_file import Key, KeyFile, texts_of
from .order import MODELS
from .said import listed, say
from .texts import quoted
from .wire import Config, Provider, SigningKey

KeySource = Literal["environment", "file", "not needed"]
Section = Literal["s3", "budget"]

PACK = Path(__file__).resolve().parents[1]

TIMEOUT = 3600.0
MAX_USD = 50.0
_SIGNING = ("access_key_id", "secret_access_key")  # their names in the key file
SHORTEST_POLL = 0.05  # seconds; asking without a pause helps nobody
_SECRET_VARIABLES = ("KEY", "KEY_ID", "TOKEN")  # what their names end with


@dataclass(frozen=True)
class Access:
    """How a provider is reached: its configuration, and the key that may go there.

    `source` is None where there is no usable key; `problem` says why, and `key` is empty.
    """

    config: Config
    key: str = field(default="", repr=False)
    source: KeySource | None = None
    problem: BadOrder | NeedsKey | None = None


class Settings:
    """Everything that is configured. Reading it never touches the network.

    `home` holds the key file, the journal and caches; `output` receives videos. `journal_url` is an
    SQLAlchemy URL, or the path of an SQLite file. Times are seconds; a `timeout` of 0 waits for
    nothing.
    """

    def __init__(self, home: Path, output: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.output = output
        self._environment = {
            name: Key(value) if name.endswith(_SECRET_VARIABLES) else value
            for name, value in environment.items()
        }
        self._keys = KeyFile(home / "keys.json")
        self._journal = home / "journal.db"
        # A path, not a URL of it: there a `?` in the path would begin the query.
        self.journal_url: str | Path = environment.get("SEEDANCE_JOURNAL_URL") or self._journal
        interval = self._seconds("SEEDANCE_POLL_INTERVAL")
        self.poll_interval = None if interval is None else max(interval, SHORTEST_POLL)
        timeout = self._seconds("SEEDANCE_TIMEOUT")
        self.timeout = TIMEOUT if timeout is None else timeout

    @property
    def unused(self) -> bool:
        """Whether nothing was ever ordered here, as far as that shows without opening a journal."""
        return "SEEDANCE_JOURNAL_URL" not in self._environment and not os.path.exists(self._journal)

    @classmethod
    def load(cls, *, home: Path | None = None, output: Path | None = None) -> Settings:
        """The settings of this process; `SEEDANCE_HOME` and `SEEDANCE_OUTPUT` win."""
        environment = dict(os.environ)
        chosen_home = environment.get("SEEDANCE_HOME") or home or Path.home() / ".seedance"
        chosen_output = environment.get("SEEDANCE_OUTPUT") or output or Path.cwd()
        return cls(
            Path(chosen_home).expanduser().absolute(),
            Path(chosen_output).expanduser().absolute(),
            environment,
        )

    def same_as(self, other: Settings) -> bool:
        """Whether both say the same, whatever else of the environment differs."""
        return self._all == other._all

    @property
    def _all(self) -> tuple[Path, Path, dict[str, str]]:
        known = {provider.key_variable for provider in providers.registry().values()}
        ours = {
            name: value
            for name, value in self._environment.items()
            if name.startswith("SEEDANCE_")
            or name in known
            or name.endswith(_SECRET_VARIABLES)
            or name.upper().endswith("_PROXY")
        }
        return self.home, self.output, ours

    # ------------------------------------------------------------------------- addresses

    def config(self, provider_id: str) -> Config:
        """The provider's configuration. Raises BadOrder where no usable base URL is known."""
        provider = providers.get(provider_id)
        base_url, source = self._base_url(provider)
        if not base_url:
            variable = _variable(provider_id, "BASE_URL")
            raise BadOrder(
                "{provider} publishes no address, so its base URL must be set.",
                hint="Set {variable}, e.g. {variable}=https://gateway.example, and its key.",
                provider=provider.name,
                variable=variable,
            )
        upload_url = self._environment.get(_variable(provider_id, "UPLOAD_URL"))
        asset_url = None
        if provider.default_asset_url:  # its second host is that of the assets
            upload_url, asset_url = None, upload_url or _asset_url(provider, base_url)
        elif not upload_url and provider.default_upload_url:
            # A gateway's key must not travel to the official upload host.
            at_home = base_url == provider.default_base_url
            upload_url = provider.default_upload_url if at_home else base_url
        history_url = self._environment.get(_variable(provider_id, "HISTORY_URL"))
        if not history_url and provider.default_history_url:
            at_home = base_url == provider.default_base_url
            history_url = provider.default_history_url if at_home else base_url
        addresses = (
            (base_url, "BASE_URL"),
            (upload_url, "UPLOAD_URL"),
            (asset_url, "UPLOAD_URL"),
            (history_url, "HISTORY_URL"),
        )
        for url, name in addresses:
            if url:
                _check_url(url, provider, self._named(provider_id, name))
        if source == "file":
            _check_stored_url(base_url, provider)
        return Config(
            base_url,
            upload_url,
            self._models(provider_id),
            self._options(provider),
            history_url,
            catalogs.read(self.home, provider, base_url),
            asset_url,
        )

    def _named(self, provider_id: str, name: str) -> str:
        """The variable that an address comes from; empty where it comes from elsewhere."""
        variable = _variable(provider_id, name)
        return variable if self._environment.get(variable) else ""

    def configured(self, provider_id: str) -> Provider | type[Provider]:
        """A provider as it is configured here, with the models that are named for it; its class
        where that cannot be."""
        try:
            return providers.get(provider_id)(self.config(provider_id))
        except BadOrder:
            return providers.get(provider_id)

    def own(self, provider_id: str) -> dict[str, Any]:
        """What a person sets for a provider beside its address and key: `models`, and a value for
        each of its `choices`. Raises BadOrder for one that cannot be."""
        provider = providers.get(provider_id)
        options = self._options(provider)
        chosen = {name: options.get(name) or values[0] for name, values in provider.choices.items()}
        return {"models": self._models(provider_id), **chosen}

    def _options(self, provider: type[Provider]) -> dict[str, str]:
        """The provider's switches, from the environment; those that the settings offer also from
        the key file."""
        record, found = self._keys.record(provider.id), {}
        for name in provider.options:
            value = self._environment.get(_variable(provider.id, name.upper()))
            if name in provider.choices and (value := value or record.get(name)):
                _check_choice(provider, name, value)
            if value is not None:
                found[name] = str(value)
        return found

    def _base_url(self, provider: type[Provider]) -> tuple[str | None, str]:
        if url := self._environment.get(_variable(provider.id, "BASE_URL")):
            return url, "environment"
        if url := self._keys.record(provider.id).get("base_url"):
            return str(url), "file"
        return provider.default_base_url, "default"

    def _models(self, provider_id: str) -> dict[str, str]:
        variable = _variable(provider_id, "MODELS")
        models: Any = self._keys.record(provider_id).get("models") or {}
        if text := self._environment.get(variable):
            try:
                models = json.loads(text)
            except ValueError as error:
                raise BadOrder(
                    "{variable} is not JSON: {error}.", variable=variable, error=error
                ) from error
        return _check_models(models, variable)

    # ------------------------------------------------------------------------------ keys

    def key(self, provider_id: str) -> str:
        """The key to use, empty where none is needed. Raises NeedsKey if there is none that may
        go to the configured base URL, BadOrder if there is one and no usable base URL."""
        provider = providers.get(provider_id)
        return "" if provider.key_variable is None else self._key(provider, None)

    def access(self, provider_id: str) -> Access:
        """How to reach a provider, found out once. Raises BadOrder where no usable base URL is
        known."""
        provider, config = providers.get(provider_id), self.config(provider_id)
        if provider.key_variable is None:
            return Access(config, "", "not needed")
        try:
            key = self._key(provider, config)
        except (BadOrder, NeedsKey) as problem:
            return Access(config, "", None, problem)
        return Access(config, key, "environment" if self._environment_key(provider) else "file")

    def _key(self, provider: type[Provider], config: Config | None) -> Key:
        """The key that may go to the base URL of `config`, by default the present one."""
        provider_id = provider.id
        record = self._keys.record(provider_id)
        if key := self._environment_key(provider):
            config or self.config(provider_id)  # raises where there is no address to send it to
            if self._base_url(provider)[1] == "file":
                raise NeedsKey(
                    "{key_variable} is set in the environment, but the base URL of "
                    "{provider} comes from the key file; the key is not sent there.",
                    hint="Set {variable} in the environment too.",
                    key_variable=provider.key_variable,
                    provider=provider.name,
                    variable=_variable(provider_id, "BASE_URL"),
                )
            return _clean(key, provider)
        if key := Key(str(record.get("key") or "").strip()):
            base = origin((config or self.config(provider_id)).base_url)
            if record.get("origin") != base:
                raise NeedsKey(
                    "The stored key of {provider} belongs to {origin}, not to {base}, and "
                    "is not sent there.",
                    hint="Store the key for this address: seedance key set {provider_id}.",
                    provider=provider.name,
                    origin=record.get("origin"),
                    base=base,
                    provider_id=provider_id,
                )
            return _clean(key, provider)
        raise NeedsKey(
            "There is no key for {provider}.",
            hint="Set {key_variable}, run: seedance key set {provider_id}, or open "
            "Settings > Seedance in ComfyUI. The provider preview needs no key.",
            provider=provider.name,
            key_variable=provider.key_variable,
            provider_id=provider_id,
        )

    def key_source(self, provider_id: str) -> KeySource | None:
        """Where a usable key comes from, None if there is none."""
        provider = providers.get(provider_id)
        if provider.key_variable is None:
            return "not needed"
        try:
            self.key(provider_id)
        except (BadOrder, NeedsKey):
            return None
        return "environment" if self._environment_key(provider) else "file"

    def _environment_key(self, provider: type[Provider]) -> Key:
        return Key(self._environment.get(provider.key_variable or "", "").strip())

    def key_in(self, text: str) -> str | None:
        """The name of the provider whose key stands in `text`, None if none does."""
        self._keys.read()  # its error is raised here
        for provider in providers.registry().values():
            record = self._keys.record(provider.id)
            stored = (*texts_of(record, "key"), *texts_of(record.get("assets"), *_SIGNING))
            typed = self._environment_signing_key(provider)
            for key in (self._environment_key(provider), *typed, *stored):
                if len(key) >= 8 and key in text:
                    return provider.name
        return None

    def secrets(self) -> list[Key]:
        """Every key of the environment and the key file that is long enough to be one."""
        stored = [record for record in self._keys.read().values() if isinstance(record, dict)]
        values = (self._environment, *stored)
        keys = (each for group in values for each in group.values() if isinstance(each, Key))
        return list(dict.fromkeys(key for key in keys if len(key) >= 8))

    def set_key(self, provider_id: str, key: str) -> None:
        """Store a key for the origin of the present base URL."""
        provider = providers.get(provider_id)
        if provider.key_variable is None:
            raise BadOrder("{provider} needs no key.", provider=provider.name)
        key = _clean(Key(key.strip()), provider)
        base = origin(self.config(provider_id).base_url)
        with self._editing() as records:
            records.setdefault(provider_id, {}).update(key=key, origin=base)

    def remove_key(self, provider_id: str) -> bool:
        """Forget the stored key; says whether there was one."""
        providers.get(provider_id)
        with self._editing() as records:
            record = records.get(provider_id, {})
            record.pop("origin", None)
            return record.pop("key", None) is not None

    # ---------------------------------------------------------------------- signing keys

    def signing_key(self, provider_id: str) -> SigningKey:
        """The key that signs what goes to the provider's asset library, and goes nowhere else.

        Raises BadOrder for a provider that has no such library, NeedsKey if there is no key that
        may go to the configured host.
        """
        provider = providers.get(provider_id)
        host = self.config(provider_id).asset_url
        if host is None:
            raise BadOrder("{provider} has no asset library.", provider=provider.name)
        found = list(self._environment_signing_key(provider))
        if any(found):
            of_file = self._base_url(provider)[1] == "file"
            if of_file and not self.is_set(_variable(provider_id, "UPLOAD_URL")):
                raise NeedsKey(
                    "{key_variable} is set in the environment, but the base URL of {provider} "
                    "comes from the key file; nothing is signed for it.",
                    hint="Set {variable} in the environment too.",
                    key_variable=provider.asset_key_variables[0],
                    provider=provider.name,
                    variable=_variable(provider_id, "UPLOAD_URL"),
                )
            for variable, half in zip(provider.asset_key_variables, found):
                if not half:
                    raise NeedsKey(
                        "The signing key of {provider} is not whole: {variable} is not set.",
                        hint="It has two parts, the access key's id and its secret.",
                        provider=provider.name,
                        variable=variable,
                    )
        else:
            record = self._keys.record(provider_id).get("assets")
            *found, stored_for = texts_of(record, *_SIGNING, "origin")
            if all(found) and stored_for != origin(host):
                raise NeedsKey(
                    "The stored signing key of {provider} belongs to {origin}, not to {here}, and "
                    "signs nothing for it.",
                    hint="Store it for this address: seedance key set {provider_id} --assets.",
                    provider=provider.name,
                    origin=stored_for,
                    here=origin(host),
                    provider_id=provider_id,
                )
        if not all(found):
            raise NeedsKey(
                "There is no signing key for the asset library of {provider}.",
                hint="Set {variables} (an access key of your account; the key of the video API is "
                "not taken there), or run: seedance key set {provider_id} --assets.",
                provider=provider.name,
                variables=listed(provider.asset_key_variables),
                provider_id=provider_id,
            )
        return SigningKey(*(_clean(half, provider) for half in found))

    def signing_key_source(self, provider_id: str) -> KeySource | None:
        """Where a usable signing key comes from, None if there is none."""
        try:
            self.signing_key(provider_id)
        except (BadOrder, NeedsKey):
            return None
        mine = self._environment_signing_key(providers.get(provider_id))
        return "environment" if any(mine) else "file"

    def set_signing_key(self, provider_id: str, key_id: str, secret: str) -> None:
        """Store a signing key for the origin of the present asset host."""
        key_id, secret = Key(key_id.strip()), Key(secret.strip())  # no traceback shows them
        provider = providers.get(provider_id)
        host = self.config(provider_id).asset_url
        if host is None:
            raise BadOrder("{provider} has no asset library.", provider=provider.name)
        halves = [_clean(half, provider) for half in (key_id, secret)]
        with self._editing() as records:
            record = records.setdefault(provider_id, {})
            record["assets"] = {**dict(zip(_SIGNING, halves)), "origin": origin(host)}

    def remove_signing_key(self, provider_id: str) -> bool:
        """Forget the stored signing key; says whether there was one."""
        providers.get(provider_id)
        with self._editing() as records:
            return records.get(provider_id, {}).pop("assets", None) is not None

    def _environment_signing_key(self, provider: type[Provider]) -> tuple[Key, ...]:
        names = provider.asset_key_variables
        return tuple(Key(self._environment.get(name, "").strip()) for name in names)

    # ----------------------------------------------------------------------- base URLs

    def set_base_url(self, provider_id: str, url: str | None) -> bool:
        """Store a base URL, None for the default. A key stored for another origin is removed:
        whoever can change an address must not be able to collect the key. Says whether it was."""
        return bool(self.change({provider_id: url}))

    def change(
        self,
        base_urls: Mapping[str, str | None],
        sections: Mapping[Section, Mapping[str, str | None]] | None = None,
        own: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> list[str]:
        """`set_base_url` and `set_section` for several, all of it or, where one is refused,
        nothing. `own` has, for provider ids, `models` and the provider's `choices`, each with None
        to remove it. Returns the providers whose key was removed."""
        for provider_id, url in base_urls.items():
            if url:
                _check_url(url, providers.get(provider_id))
                _check_stored_url(url, providers.get(provider_id))
        for provider_id, values in (own or {}).items():
            for name, value in values.items():
                if name == "models":
                    _check_models(value or {}, _variable(provider_id, "MODELS"))
                elif value is not None:
                    _check_choice(providers.get(provider_id), name, value)
        with self._editing() as records:
            moved = [_move(records, providers.get(name), url) for name, url in base_urls.items()]
            for provider_id, values in (own or {}).items():
                _put(records.setdefault(provider_id, {}), values)
            for section, values in (sections or {}).items():
                _put(records.setdefault(section, {}), values)
        return [name for name, lost in zip(base_urls, moved) if lost]

    # ------------------------------------------------------------------- bucket and budget

    def section(self, name: Section, prefix: str) -> dict[str, str]:
        """A group of values: `<prefix>_<NAME>` from the environment over the key file's."""
        mine = {
            variable[len(prefix) + 1 :].lower(): value
            for variable, value in self._environment.items()
            if variable.startswith(prefix + "_") and value
        }
        if "secret_access_key" in mine:
            return mine  # this key must not go to an endpoint that was stored from the page
        stored = {
            key: value if isinstance(value, str) else str(value)
            for key, value in self._keys.record(name).items()
        }
        return stored | mine

    def set_section(self, name: Section, values: Mapping[str, str | None]) -> None:
        """Store values of a group; None removes one."""
        self.change({}, {name: values})

    @property
    def budget(self) -> dict[str, float]:
        """`day`, `month` and `unknown_price` in USD, those that are set."""
        values = self.section("budget", "SEEDANCE_BUDGET")
        values.pop("unknown_price", None)
        stored = self._keys.record("budget").get("unknown_price")
        if unknown := self._environment.get("SEEDANCE_UNKNOWN_PRICE") or stored:
            values["unknown_price"] = str(unknown)
        return {
            name: _amount(value, say("the budget's {name}", name=name))
            for name, value in values.items()
            if name in ("day", "month", "unknown_price")
        }

    def budget_of(self, project: str) -> dict[str, float]:
        """The budget, with that of a `project` where it has one."""
        limit = self._project_budgets().get(project) if project else None
        if limit is None:
            return self.budget
        return {
            **self.budget,
            "project": _amount(str(limit), say("the budget of {project}", project=project)),
        }

    def _project_budgets(self) -> Mapping[str, Any]:
        """USD by project."""
        budgets: Any = self._keys.record("budget").get("projects") or {}
        if text := self._environment.get("SEEDANCE_BUDGET_PROJECTS"):
            try:
                budgets = json.loads(text)
            except ValueError as error:
                raise BadOrder(
                    "SEEDANCE_BUDGET_PROJECTS is not JSON: {said}.", said=str(error)
                ) from error
        if not isinstance(budgets, dict):
            raise BadOrder(
                "SEEDANCE_BUDGET_PROJECTS must be a JSON object from project to USD.",
                hint='It looks like {"trailer": 200}.',
            )
        return budgets

    @property
    def max_usd(self) -> float:
        """The most that one queued graph or one command may cost, in USD; 0 for no limit."""
        stored = self._keys.record("budget").get("max_usd")
        text = self._environment.get("SEEDANCE_MAX_USD", "").strip() or stored
        return MAX_USD if text is None or text == "" else _amount(str(text), "SEEDANCE_MAX_USD")

    def is_set(self, variable: str) -> bool:
        """Whether the environment has a value for `variable`."""
        return bool(self._environment.get(variable))

    # ----------------------------------------------------------------------- the key file

    @property
    def key_file(self) -> Path:
        """Where stored keys are."""
        return self._keys.path

    def check_key_file(self) -> None:
        """Raise BadOrder if there is a key file that cannot be used, saying how to mend it."""
        self._keys.read()

    @contextlib.contextmanager
    def _editing(self) -> Iterator[dict[str, Any]]:
        if PACK in self.key_file.resolve().parents:
            raise BadOrder(
                "{home} is inside the pack's own folder, where no key is written.",
                hint="Choose another folder (SEEDANCE_HOME): the pack's is shared and replaced.",
                home=self.home,
            )
        with self._keys.editing() as records:
            yield records

    def _seconds(self, variable: str) -> float | None:
        text = self._environment.get(variable, "").strip()
        if not text:
            return None
        seconds = _number(text)
        if seconds is None:
            raise BadOrder(
                "{variable} must be a number of seconds, not {text}.",
                hint="Set it like {variable}=60, or leave it out for what fits most.",
                variable=variable,
                text=repr(text[:40]),
            )
        return seconds


def _put(record: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Write values into an object of the key file; None removes one."""
    for name, value in values.items():
        if value is None:
            record.pop(name, None)
        else:
            record[name] = value


def _check_models(models: Any, variable: str) -> dict[str, str]:
    if not isinstance(models, dict) or not all(
        name in MODELS and isinstance(value, str) and value for name, value in models.items()
    ):
        raise BadOrder(
            "{variable} must be a JSON object from model names to the provider's ids.",
            hint="Model names are: {known}.",
            variable=variable,
            known=", ".join(MODELS),
        )
    return models


def _check_choice(provider: type[Provider], name: str, value: object) -> None:
    """Raise BadOrder for a value that an option with `choices` does not have."""
    known = provider.choices.get(name)
    if known is not None and value not in known:
        raise BadOrder(
            "There is no {name} {value} of {provider}.",
            hint="{variable} can be: {known}.",
            name=name,
            value=quoted(str(value)),
            provider=provider.name,
            variable=_variable(provider.id, name.upper()),
            known=", ".join(known),
        )


def _asset_url(provider: type[Provider], base_url: str) -> str | None:
    """Where the asset library is: at the official host, or at that of a gateway, to which nothing
    goes that is signed for the official one."""
    at_home = base_url == provider.default_base_url
    return provider.default_asset_url if at_home else origin(base_url)


def _move(records: dict[str, Any], provider: type[Provider], url: str | None) -> bool:
    """Write a base URL into the key file's records; says whether a key was removed by that."""
    record = records.setdefault(provider.id, {})
    if url:
        record["base_url"] = url
    else:
        record.pop("base_url", None)
    target = url or provider.default_base_url
    host = _asset_url(provider, target) if target and provider.default_asset_url else None
    if host and texts_of(record.get("assets"), "origin") not in (("",), (origin(host),)):
        del record["assets"]
    if record.get("key") and (not target or record.get("origin") != origin(target)):
        del record["key"]
        record.pop("origin", None)
        return True
    return False


def _variable(provider_id: str, name: str) -> str:
    return f"SEEDANCE_{provider_id.upper()}_{name}"


def _number(text: str) -> float | None:
    """A number that is not negative, None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


def _amount(text: str, what: str) -> float:
    amount = _number(text)
    if amount is None:
        raise BadOrder(
            "{what} must be a number that is not negative, not {text}.",
            what=what,
            text=repr(text[:40]),
        )
    return amount


def _clean(key: Key, provider: type[Provider]) -> Key:
    """A key that can stand in a header. The key itself is never part of the error."""
    if not key or not key.isascii() or not key.isprintable() or " " in key or len(key) > 4096:
        raise BadOrder(
            "What is set as the key of {provider} is not a key: it is empty, or "
            "has blanks, line breaks or letters outside ASCII.",
            provider=provider.name,
        )
    return key


def _check_url(url: str, provider: type[Provider], variable: str = "") -> None:
    known = (provider.default_base_url, provider.default_upload_url, provider.default_history_url)
    if url not in known:
        check_base_url(url, provider.name, variable)


def _check_stored_url(url: str, provider: type[Provider]) -> None:
    """Raise BadOrder for a private address other than this machine's: whoever can change the
    settings must not make the server look around in its network."""
    if is_loopback(url):
        return
    try:
        check_public_url(url)
    except ForbiddenAddress as error:
        raise BadOrder(
            "The base URL of {provider} cannot be stored: {said}",
            hint="Only the environment may name a private one: {variable}.",
            provider=provider.name,
            said=error.message,
            variable=_variable(provider.id, "BASE_URL"),
        ) from None

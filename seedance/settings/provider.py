"""How one provider is reached: its addresses, its options and its keys, from the environment first,
then from its object in the key file.

This decides where a key comes from, and to which origin it may go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from .. import catalogs
from ..addresses import ForbiddenAddress, check_base_url, check_public_url, is_loopback, origin
from ..errors import BadOrder, NeedsKey
from ..key_file import Key, texts_of
from ..order import MODELS
from ..said import listed
from ..texts import quoted
from ..wire import Config, Provider, SigningKey

KeySource = Literal["environment", "file", "not needed"]

SIGNING = ("access_key_id", "secret_access_key")  # their names in the key file


@dataclass(frozen=True)
class Access:
    """How a provider is reached: its configuration, and the key that may go there.

    `source` is None where there is no usable key; `problem` says why, and `key` is empty.
    """

    config: Config
    key: str = field(default="", repr=False)
    source: KeySource | None = None
    problem: BadOrder | NeedsKey | None = None


class ProviderSettings:
    """What is configured for one provider at one moment: `record` is its object in the key file as
    it was read then. `home` holds what the provider says that it can do."""

    def __init__(
        self,
        provider: type[Provider],
        environment: Mapping[str, str],
        record: Mapping[str, Any],
        home: Path,
    ) -> None:
        self.provider = provider
        self._environment, self._record, self._home = environment, record, home

    # ------------------------------------------------------------------------- addresses

    @cached_property
    def config(self) -> Config:
        """The provider's configuration. Raises BadOrder where no usable base URL is known."""
        provider, (base_url, source) = self.provider, self._base_url
        if not base_url:
            raise BadOrder(
                "{provider} publishes no address, so its base URL must be set.",
                hint="Set {variable}, e.g. {variable}=https://gateway.example, and its key.",
                provider=provider.name,
                variable=self._variable("BASE_URL"),
            )
        at_home = base_url == provider.default_base_url
        upload_url = self._of_environment("UPLOAD_URL")
        asset_url = None
        if provider.default_asset_url:  # its second host is that of the assets
            upload_url, asset_url = None, upload_url or asset_host(provider, base_url)
        elif not upload_url and provider.default_upload_url:
            # A gateway's key must not travel to the official upload host.
            upload_url = provider.default_upload_url if at_home else base_url
        history_url = self._of_environment("HISTORY_URL")
        if not history_url and provider.default_history_url:
            history_url = provider.default_history_url if at_home else base_url
        addresses = (
            (base_url, "BASE_URL"),
            (upload_url, "UPLOAD_URL"),
            (asset_url, "UPLOAD_URL"),
            (history_url, "HISTORY_URL"),
        )
        for url, name in addresses:
            if url:
                # The error names the variable that the address comes from, if one does.
                check_url(url, provider, self._variable(name) if self._of_environment(name) else "")
        if source == "file":
            check_stored_url(base_url, provider)
        return Config(
            base_url,
            upload_url,
            self._models,
            self._options,
            history_url,
            catalogs.read(self._home, provider, base_url),
            asset_url,
        )

    @property
    def own(self) -> dict[str, Any]:
        """What a person sets for a provider beside its address and key: `models`, and a value for
        each of its `choices`. Raises BadOrder for one that cannot be."""
        choices = self.provider.choices.items()
        chosen = {name: self._options.get(name) or values[0] for name, values in choices}
        return {"models": self._models, **chosen}

    @cached_property
    def _base_url(self) -> tuple[str | None, str]:
        if url := self._of_environment("BASE_URL"):
            return url, "environment"
        if url := self._record.get("base_url"):
            return str(url), "file"
        return self.provider.default_base_url, "default"

    @cached_property
    def _options(self) -> dict[str, str]:
        """The provider's switches, from the environment; those that the settings offer also from
        the key file."""
        provider, found = self.provider, {}
        for name in provider.options:
            value = self._environment.get(self._variable(name.upper()))
            if name in provider.choices and (value := value or self._record.get(name)):
                check_choice(provider, name, value)
            if value is not None:
                found[name] = str(value)
        return found

    @cached_property
    def _models(self) -> dict[str, str]:
        models: Any = self._record.get("models") or {}
        if text := self._of_environment("MODELS"):
            try:
                models = json.loads(text)
            except ValueError as error:
                raise BadOrder(
                    "{variable} is not JSON: {error}.",
                    variable=self._variable("MODELS"),
                    error=error,
                ) from error
        return check_models(models, self.provider)

    def _variable(self, name: str) -> str:
        return variable(self.provider.id, name)

    def _of_environment(self, name: str) -> str | None:
        return self._environment.get(self._variable(name))

    # ------------------------------------------------------------------------------ keys

    @property
    def access(self) -> Access:
        """How to reach the provider. Raises BadOrder where no usable base URL is known."""
        config = self.config
        try:
            return Access(config, self.key, self._key_source)
        except (BadOrder, NeedsKey) as problem:
            return Access(config, "", None, problem)

    @property
    def key(self) -> Key:
        """The key to use, empty where none is needed. Raises NeedsKey if there is none that may go
        to the configured base URL, BadOrder if there is one and no usable base URL."""
        provider = self.provider
        if provider.key_variable is None:
            return Key()
        if key := self._environment_key:
            _ = self.config  # raises where there is no address to send it to
            if self._base_url[1] == "file":
                raise NeedsKey(
                    "{key_variable} is set in the environment, but the base URL of "
                    "{provider} comes from the key file; the key is not sent there.",
                    hint="Set {variable} in the environment too.",
                    key_variable=provider.key_variable,
                    provider=provider.name,
                    variable=self._variable("BASE_URL"),
                )
            return clean(key, provider)
        if key := Key(str(self._record.get("key") or "").strip()):
            base, stored_for = origin(self.config.base_url), self._record.get("origin")
            if stored_for != base:
                raise NeedsKey(
                    "The stored key of {provider} belongs to {origin}, not to {base}, and "
                    "is not sent there.",
                    hint="Store the key for this address: seedance key set {provider_id}.",
                    provider=provider.name,
                    origin=stored_for,
                    base=base,
                    provider_id=provider.id,
                )
            return clean(key, provider)
        raise NeedsKey(
            "There is no key for {provider}.",
            hint="Set {key_variable}, run: seedance key set {provider_id}, or open "
            "Settings > Seedance in ComfyUI. The provider preview needs no key.",
            provider=provider.name,
            key_variable=provider.key_variable,
            provider_id=provider.id,
        )

    @property
    def key_source(self) -> KeySource | None:
        """Where a usable key comes from, None if there is none."""
        try:
            _ = self.key
        except (BadOrder, NeedsKey):
            return None
        return self._key_source

    @property
    def _key_source(self) -> KeySource:
        if self.provider.key_variable is None:
            return "not needed"
        return "environment" if self._environment_key else "file"

    @property
    def _environment_key(self) -> Key:
        return self._typed(self.provider.key_variable or "")

    def _typed(self, name: str) -> Key:
        return Key(self._environment.get(name, "").strip())

    # ---------------------------------------------------------------------- signing keys

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs what goes to the provider's asset library, and goes nowhere else.

        Raises BadOrder for a provider that has no such library, NeedsKey if there is no key that
        may go to the configured host.
        """
        provider = self.provider
        host = self.asset_host
        found = list(self._environment_signing_key)
        if any(found):
            if self._base_url[1] == "file" and not self._of_environment("UPLOAD_URL"):
                raise NeedsKey(
                    "{key_variable} is set in the environment, but the base URL of {provider} "
                    "comes from the key file; nothing is signed for it.",
                    hint="Set {variable} in the environment too.",
                    key_variable=provider.asset_key_variables[0],
                    provider=provider.name,
                    variable=self._variable("UPLOAD_URL"),
                )
            for name, half in zip(provider.asset_key_variables, found):
                if not half:
                    raise NeedsKey(
                        "The signing key of {provider} is not whole: {variable} is not set.",
                        hint="It has two parts, the access key's id and its secret.",
                        provider=provider.name,
                        variable=name,
                    )
        else:
            *found, stored_for = texts_of(self._record.get("assets"), *SIGNING, "origin")
            if all(found) and stored_for != origin(host):
                raise NeedsKey(
                    "The stored signing key of {provider} belongs to {origin}, not to {here}, and "
                    "signs nothing for it.",
                    hint="Store it for this address: seedance key set {provider_id} --assets.",
                    provider=provider.name,
                    origin=stored_for,
                    here=origin(host),
                    provider_id=provider.id,
                )
        if not all(found):
            raise NeedsKey(
                "There is no signing key for the asset library of {provider}.",
                hint="Set {variables} (an access key of your account; the key of the video API is "
                "not taken there), or run: seedance key set {provider_id} --assets.",
                provider=provider.name,
                variables=listed(provider.asset_key_variables),
                provider_id=provider.id,
            )
        return SigningKey(*(clean(half, provider) for half in found))

    @property
    def signing_key_source(self) -> KeySource | None:
        """Where a usable signing key comes from, None if there is none."""
        try:
            _ = self.signing_key
        except (BadOrder, NeedsKey):
            return None
        return "environment" if any(self._environment_signing_key) else "file"

    @property
    def asset_host(self) -> str:
        """Where the asset library is. Raises BadOrder for a provider that has none."""
        host = self.config.asset_url
        if host is None:
            raise BadOrder("{provider} has no asset library.", provider=self.provider.name)
        return host

    @property
    def _environment_signing_key(self) -> tuple[Key, ...]:
        return tuple(map(self._typed, self.provider.asset_key_variables))


# ------------------------------------------------------------------------------ checks and changes


def check_models(models: Any, provider: type[Provider]) -> dict[str, str]:
    """Raise BadOrder for what is no table of model names and the provider's ids; returns it."""
    if not isinstance(models, dict) or not all(
        name in MODELS and isinstance(value, str) and value for name, value in models.items()
    ):
        raise BadOrder(
            "{variable} must be a JSON object from model names to the provider's ids.",
            hint="Model names are: {known}.",
            variable=variable(provider.id, "MODELS"),
            known=", ".join(MODELS),
        )
    return models


def check_choice(provider: type[Provider], name: str, value: object) -> None:
    """Raise BadOrder for a value that an option with `choices` does not have."""
    known = provider.choices.get(name)
    if known is not None and value not in known:
        raise BadOrder(
            "There is no {name} {value} of {provider}.",
            hint="{variable} can be: {known}.",
            name=name,
            value=quoted(str(value)),
            provider=provider.name,
            variable=variable(provider.id, name.upper()),
            known=", ".join(known),
        )


def move(record: dict[str, Any], provider: type[Provider], url: str | None) -> bool:
    """Write a base URL, None for the default, into the provider's object of the key file. Keys that
    were stored for another origin are removed; says whether the provider's key was."""
    if url:
        record["base_url"] = url
    else:
        record.pop("base_url", None)
    target = url or provider.default_base_url
    host = asset_host(provider, target) if target and provider.default_asset_url else None
    if host and texts_of(record.get("assets"), "origin") not in (("",), (origin(host),)):
        del record["assets"]
    if record.get("key") and (not target or record.get("origin") != origin(target)):
        del record["key"]
        record.pop("origin", None)
        return True
    return False


def asset_host(provider: type[Provider], base_url: str) -> str | None:
    """Where the asset library is: at the official host, or at that of a gateway, to which nothing
    goes that is signed for the official one."""
    at_home = base_url == provider.default_base_url
    return provider.default_asset_url if at_home else origin(base_url)


def variable(provider_id: str, name: str) -> str:
    """The name of a provider's variable in the environment."""
    return f"SEEDANCE_{provider_id.upper()}_{name}"


def clean(key: Key, provider: type[Provider]) -> Key:
    """A key that can stand in a header. The key itself is never part of the error."""
    if not key or not key.isascii() or not key.isprintable() or " " in key or len(key) > 4096:
        raise BadOrder(
            "What is set as the key of {provider} is not a key: it is empty, or "
            "has blanks, line breaks or letters outside ASCII.",
            provider=provider.name,
        )
    return key


def check_url(url: str, provider: type[Provider], variable: str = "") -> None:
    """Raise BadOrder for an address that is no base URL, or would send a key unencrypted."""
    known = (provider.default_base_url, provider.default_upload_url, provider.default_history_url)
    if url not in known:
        check_base_url(url, provider.name, variable)


def check_stored_url(url: str, provider: type[Provider]) -> None:
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
            variable=variable(provider.id, "BASE_URL"),
        ) from None

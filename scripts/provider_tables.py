"""The tables of providers in the README and in docs/providers.md, from their classes.
`generate.py` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seedance.capabilities import capabilities
from seedance.money import in_usd
from seedance.order import MODE_WORDS, RESOLUTIONS, Order
from seedance.providers import registry
from seedance.wire import Config, Provider, Source

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"

HEAD = (
    "provider",
    "models",
    "can do",
    "resolutions",
    "ratios",
    "seconds",
    "reference pictures / clips / sounds",
    "prompt",
    "sound",
    "seed",
)


def ability_table() -> str:
    """What providers can do: a row for each provider and group of models that can do the same."""
    lines = [_row(HEAD), _row("---" for _ in HEAD)]
    for provider in registry().values():
        groups: list[tuple[list[str], dict[str, Any]]] = []
        for name, able in capabilities(provider)["models"].items():
            names = next((names for names, other in groups if other == able), None)
            if names is None:
                groups.append(([name], able))
            else:
                names.append(name)
        lines += [_row(_cells(provider, names, able)) for names, able in groups]
    return "\n".join(lines)


def source_table() -> str:
    """Where the limits of each model are from, and of when. A row for each provider and group of
    models with the same sources."""
    lines = [_row(("provider", "models", "how far to trust it", "sources"))]
    lines.append(_row(["---"] * 4))
    for provider in registry().values():
        groups: dict[tuple[Source, ...], list[str]] = {}
        for name, model in provider.limits.models.items():
            groups.setdefault(model.sources, []).append(name.removeprefix("seedance-"))
        for sources, names in groups.items():
            if sources:
                cells = [f"`{provider.id}`", ", ".join(names), _trust(sources), _written(sources)]
                lines.append(_row(cells))
    return "\n".join(lines)


def mode_table() -> str:
    """What differs from mode to mode: where the ratio or the length can only be the source's, and
    what is done by the prompt alone."""
    lines = [_row(("provider", "models", "ratio only adaptive", "length only -1", "by the prompt"))]
    lines.append(_row(["---"] * 5))
    for provider in registry().values():
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, model in provider.limits.models.items():
            cells = tuple(
                ", ".join(word for mode, word in MODE_WORDS.items() if mode in modes) or "-"
                for modes in (model.source_ratio, model.source_duration, model.by_prompt)
            )
            groups.setdefault(cells, []).append(name.removeprefix("seedance-"))
        for cells, names in groups.items():
            if set(cells) != {"-"}:
                lines.append(_row((f"`{provider.id}`", ", ".join(names), *cells)))
    return "\n".join(lines)


def _trust(sources: tuple[Source, ...]) -> str:
    if all(source.reported for source in sources):
        return "reported"
    return "documented, in part reported" if any(s.reported for s in sources) else "documented"


def _written(sources: tuple[Source, ...]) -> str:
    return "; ".join(
        f"{source.where} ({source.as_of})" if source.as_of else source.where for source in sources
    )


PRICED = {"resolution": "720p", "ratio": "16:9", "duration": 5}
MOST_ASKED_FOR = ("seedance-2.0", "seedance-2.5")


def choice_table() -> str:
    """What helps to choose a provider: what a second costs by its list, what it can make, and where
    its keys are made."""
    short = [model.removeprefix("seedance-") for model in MOST_ASKED_FOR]
    head = ["provider", *(f"a second of {name}" for name in short), "up to", "drafts", "keys"]
    lines = [_row(head), _row(["---"] * len(head))]
    for provider in registry().values():
        drafts = provider.can("finish")
        key = provider.key_variable
        if key and provider.key_page:
            key = f"[{key}]({provider.key_page})"
        lines.append(
            _row(
                (
                    f"{provider.name} (`{provider.id}`)",
                    *(_price_of_a_second(provider, model) for model in MOST_ASKED_FOR),
                    _most(provider),
                    "yes" if drafts else "-",
                    key or "needs none",
                )
            )
        )
    notes = [provider.price_note for provider in registry().values() if provider.price_note]
    return "\n".join([*lines, *(f"\n{note}" for note in notes)])


def _most(provider: type[Provider]) -> str:
    """The highest resolution and the longest clip of each model: no model may have both of what a
    provider has at the most."""
    found: dict[str, list[str]] = {}
    for name in MOST_ASKED_FOR:
        if model := provider.limits.models.get(name):
            highest = max(model.resolutions, key=RESOLUTIONS.index)
            most = f"{highest}, {model.durations[1]} s"
            found.setdefault(most, []).append(name.removeprefix("seedance-"))
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{' and '.join(names)}: {most}" for most, names in found.items())


def _price_of_a_second(provider: type[Provider], model: str) -> str:
    if model not in provider.limits.models:
        return "-"
    order = Order(provider=provider.id, prompt="a", model=model, **PRICED)  # type: ignore[arg-type]
    price = provider(Config(provider.default_base_url or "")).estimate(order)
    if price is None:
        return "no price published"
    if not price.amount:
        return "free"
    a_second = f"{price.amount / order.duration:.3f} {price.currency}"
    usd = in_usd(price) if price.is_converted else None
    about = f" (about {usd / order.duration:.3f} USD)" if usd is not None else ""
    return f"{a_second}{about}{', reported' if price.reported else ''}"


def means_table() -> str:
    """By what means an order is cleared whose answer was lost, for how long, and where a person
    looks where there is none, or it did not help."""
    lines = [_row(("provider", "means", "for", "where to look")), _row(["---"] * 4)]
    for provider in registry().values():
        if provider.key_variable is None:
            continue
        means, life = "none", None
        if provider.idempotency is not None:
            means, life = "its key", provider.idempotency.seconds
        elif provider.can("find"):
            means, life = "its list", provider.found_for
        looks = provider.where_to_look or "The provider's own list of tasks."
        lines.append(_row((f"`{provider.id}`", means, _span(life), looks)))
    return "\n".join(lines)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for least, unit, name in ((172800, 86400, "d"), (3600, 3600, "h")):
        if seconds >= least:
            return f"{seconds / unit:g} {name}"
    return f"{seconds / 60:g} min"


def access_table() -> str:
    """Under which variable each provider's key is looked for, and where the provider is."""
    lines = [_row(("provider", "key", "base URL")), _row(["---"] * 3)]
    for provider in registry().values():
        if provider.key_variable:
            url = provider.default_base_url
            where = f"`{url}`" if url else "none published: must be set"
            lines.append(_row((f"`{provider.id}`", f"`{provider.key_variable}`", where)))
    return "\n".join(lines)


def _cells(provider: type[Provider], names: list[str], able: dict[str, Any]) -> list[str]:
    low, high = able["durations"]
    references = [str(able[kind]) for kind in ("images", "videos", "audios")]
    return [
        f"`{provider.id}` ({provider.name})",
        ", ".join(name.removeprefix("seedance-") for name in names),
        ", ".join(MODE_WORDS[mode] for mode in able["modes"]),
        ", ".join(able["resolutions"]),
        ", ".join(able["ratios"]),
        f"{low} to {high}{', or -1' if able['auto_duration'] else ''}",
        " / ".join(references) if "reference" in able["modes"] else "no",
        f"{able['prompt_max']} characters" if able["prompt_max"] else "no limit documented",
        "yes" if able["generates_audio"] else "no",
        "yes" if able["seed"] else "no",
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


TABLES = {
    README: {"choice": choice_table, "keys and addresses": access_table},
    ROOT / "docs" / "providers.md": {
        "what providers can do": ability_table,
        "modes": mode_table,
        "sources": source_table,
        "lost answers": means_table,
    },
}


def with_tables(text: str, file: Path = README) -> str:
    """The text of a file with each of its tables between its marks."""
    for name, table in TABLES[file].items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = marks.subn(lambda mark: f"{mark[1]}\n{table()}\n\n{mark[2]}", text)  # noqa: B023
        if count != 1:
            raise SystemExit(f"{file.name} has {count} places for the table {name!r}, not one.")
    return text


def files() -> Iterator[tuple[Path, str]]:
    """The files with tables, and their texts."""
    for file in TABLES:
        yield file, with_tables(file.read_text(encoding="utf-8"), file)

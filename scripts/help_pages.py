"""The help page of every node, in English and Chinese, web/docs/<node id>/<language>.md, and the
English labels in locales/. `generate.py` writes them.

The prose is in help/<language>.json; labels and tooltips come from locales/, ranges and defaults
from the node definitions, abilities and prices from the providers.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pack
import pytest

if TYPE_CHECKING:
    from seedance.money import Money as Price

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "web" / "docs"
LANGUAGES = ("en", "zh")
LABELS = {language: ROOT / "locales" / language / "nodeDefs.json" for language in LANGUAGES}
MODES = {
    "SeedanceT2V": ("text",),
    "SeedanceI2V": ("image",),
    "SeedanceFrames": ("frames",),
    "SeedanceReference": ("reference",),
    "SeedanceV2V": ("edit", "extend"),
}


def files() -> Iterator[tuple[Path, str]]:
    """Every file that is written, and its text."""
    schemas = _schemas()
    english = {node_id: _labels(schema) for node_id, schema in schemas.items()}
    yield LABELS["en"], json.dumps(_quoted(english), indent=2, ensure_ascii=False) + "\n"
    labels = {"en": english, "zh": _plain(_json(LABELS["zh"]))}
    for node_id, schema in schemas.items():
        for language in LANGUAGES:
            words = _json(ROOT / "scripts" / "help" / f"{language}.json")
            text = "\n\n".join(_sections(node_id, schema, labels[language][node_id], words))
            yield DOCS / node_id / f"{language}.md", text + "\n"


def _schemas() -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        pack.loaded(Path(folder), patch) as loaded,
    ):
        return {node_id: node.GET_SCHEMA() for node_id, node in loaded.nodes.items()}


def _labels(schema: Any) -> dict[str, Any]:
    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": {
            item.id: {"name": item.id, "tooltip": item.options["tooltip"]} for item in schema.inputs
        },
        "outputs": {
            str(number): {"name": item.display_name, "tooltip": item.tooltip}
            for number, item in enumerate(schema.outputs)
        },
    }


def _sections(
    node_id: str, schema: Any, names: Mapping[str, Any], words: Mapping[str, Any]
) -> Iterator[str]:
    heads = words["heads"]
    yield f"# {names['display_name']}"
    yield words["intro"][node_id]
    if (DOCS / node_id / "node.jpg").exists():
        alt = words["picture"].format(name=names["display_name"])
        yield f"![{alt}]({node_id}/node.jpg)"
    if node_id in MODES:
        yield f"## {heads['line']}\n\n{words['line']}\n\n{words['paid']}"
    for head, paragraphs in words["ways"].get(node_id, {}).items():
        yield f"## {head}"
        yield "\n".join(paragraphs)
    yield f"## {heads['inputs']}"
    yield "\n".join(
        f"- {_named(item.id, **names['inputs'][item.id])}<br>*{_values(item, words)}*"
        for item in schema.inputs
    )
    yield f"## {heads['outputs']}"
    yield "\n".join(
        f"- {_named(item.id, **name)}"
        for item, name in zip(schema.outputs, names["outputs"].values())
    )
    if node_id in MODES:
        yield f"## {heads['providers']}"
        yield _abilities(node_id, words)
        yield f"## {heads['prices']}\n\n{words['price']}"
        yield _prices(node_id, words)
        yield f"## {heads['extra']}\n\n{words['extra']}"
        yield "\n".join(f"- `{field}`: {does}" for field, does in words["extra_fields"].items())
    yield f"## {heads['errors']}"
    errors = dict(words["own_errors"].get(node_id, {}))
    if node_id != "SeedanceAsset":  # all others have to do with orders
        errors |= words["errors"]
    yield "\n".join(f"- **{sentence}**: {advice}" for sentence, advice in errors.items())


# Lists rather than tables: ComfyUI shows help in a narrow panel.


def _named(item: str, name: str, tooltip: str) -> str:
    return f"`{item}` {tooltip}" if item == name else f"`{item}` {name} – {tooltip}"


# ------------------------------------------------------------------------------------------ inputs


def _values(item: Any, words: Mapping[str, Any]) -> str:
    default = _default(item, words)
    spoken = [str(words["default"]).format(value=default)] if default else []
    return str(words["between"]).join([_range(item, words), *spoken])


def _range(item: Any, words: Mapping[str, Any]) -> str:
    options = item.options
    if "template" in options:
        return str(words["grows"]).format(most=len(options["template"].names))
    if "options" in options:
        return ", ".join(options["options"])
    if item.io_type == "INT":
        if item.id == "duration":
            spoken = words["to"].format(low=4, high=options["max"])
            return str(words["or_auto"]).format(range=spoken)
        return str(words["to"]).format(low=options["min"], high=options["max"])
    if item.io_type == "BOOLEAN":
        return str(words["switch"])
    if item.io_type == "STRING":
        return str(words["lines" if options.get("multiline") else "text"])
    return str(words["socket"])


def _default(item: Any, words: Mapping[str, Any]) -> str:
    default = item.options.get("default")
    if isinstance(default, bool):
        return str(words["on" if default else "off"])
    return str(default) if default not in (None, "") else ""


# --------------------------------------------------------------------------------------- providers


def _abilities(node_id: str, words: Mapping[str, Any]) -> str:
    from seedance import providers
    from seedance.capabilities import capabilities

    lines = []
    for provider in providers.registry().values():
        groups: list[tuple[list[str], dict[str, Any]]] = []
        for name, able in capabilities(provider)["models"].items():
            modes = set(MODES[node_id])
            if not modes & set(able["modes"]):
                continue
            if not modes & provider.limits.models[name].adaptive:
                able["ratios"] = [ratio for ratio in able["ratios"] if ratio != "adaptive"]
            names = next((names for names, other in groups if other == able), None)
            if names is None:
                groups.append(([name], able))
            else:
                names.append(name)
        counted = node_id == "SeedanceReference"
        lines += [
            _ability(provider.name, names, able, words, counted=counted) for names, able in groups
        ]
    return "\n".join(lines)


def _ability(
    provider: str,
    names: list[str],
    able: Mapping[str, Any],
    words: Mapping[str, Any],
    *,
    counted: bool,
) -> str:
    low, high = able["durations"]
    seconds = words["to"].format(low=low, high=high)
    if able["auto_duration"]:
        seconds = words["or_auto"].format(range=seconds)
    facts = [
        ", ".join(able["resolutions"]),
        ", ".join(able["ratios"]),
        words["seconds"].format(range=seconds),
        words["with_sound" if able["generates_audio"] else "no_sound"],
        words["with_seed" if able["seed"] else "no_seed"],
    ]
    if counted:
        facts.append(words["references"].format(**able))
    models = ", ".join(name.removeprefix("seedance-") for name in names)
    return f"- **{provider}** ({models}): {words['between'].join(facts)}"


def _prices(node_id: str, words: Mapping[str, Any]) -> str:
    from seedance import providers
    from seedance.errors import SeedanceError
    from seedance.fit import fit
    from seedance.wire import Config

    rows = []
    for provider in providers.registry().values():
        try:
            order = fit(_example(node_id), provider).order
        except SeedanceError:  # it cannot do this at all
            continue
        price = provider(Config(provider.default_base_url or "")).estimate(order)
        spoken = words["unknown"] if price is None else _spoken(price, words)
        rows.append(
            (
                provider.name,
                words["free"] if price is not None and not price.amount else spoken,
                _dated(price, words) if price else "",
            )
        )
    return _table(words["price_columns"], rows)


def _spoken(price: Price, words: Mapping[str, Any]) -> str:
    """An amount, and about what it is in USD where it is not."""
    from seedance.money import Money, in_usd

    amount = str(Money(price.amount, price.currency))
    usd = in_usd(price) if price.is_converted else None
    return amount if usd is None else f"{amount} ({words['about']} {Money(round(usd, 2), 'USD')})"


def _dated(price: Price, words: Mapping[str, Any]) -> str:
    """The date of the list, and that it is not the provider's own."""
    date = (price.as_of or "").partition(",")[0]
    return f"{date}, {words['reported']}" if price.reported else date


def _example(node_id: str) -> Any:
    from seedance.order import Medium, Order

    picture, clip = Medium.from_data("image", b""), Medium.from_data("video", b"")
    media: dict[str, dict[str, Any]] = {
        "SeedanceT2V": {},
        "SeedanceI2V": {"first_frame": picture},
        "SeedanceFrames": {"first_frame": picture, "last_frame": picture},
        "SeedanceReference": {"references": (picture,)},
        "SeedanceV2V": {"video": clip},
    }
    order = Order(prompt="-", ratio="16:9", on_unsupported="nearest", **media[node_id])
    return order


# ------------------------------------------------------------------------------------------ helpers


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _quoted(words: Any) -> Any:
    """With the marks that vue-i18n needs around `@`, `{`, `}` and `|`."""
    if isinstance(words, dict):
        return {name: _quoted(value) for name, value in words.items()}
    return re.sub(r"[@{}|]", lambda letter: f"{{'{letter[0]}'}}", words)


def _plain(words: Any) -> Any:
    """Without these marks."""
    if isinstance(words, dict):
        return {name: _plain(value) for name, value in words.items()}
    return re.sub(r"\{'(.)'\}", r"\1", words)

"""`providers`, `key` and `doctor`: what there is to work with. Also finds the settings.

Shows where a key comes from, never a key.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadOrder, SeedanceError
from . import show

if TYPE_CHECKING:
    from ..runner import Runner
    from ..settings import Settings
    from ..wire import Provider

PACKAGES = (
    "requests",
    "pillow",
    "numpy",
    "av",
    "SQLAlchemy",
    "alembic",
    "tqdm",
    "filelock",
    "psutil",
)
CODECS = (
    ("h264", "r", "decode H.264"),
    ("libx264", "w", "encode H.264"),
    ("hevc", "r", "decode H.265"),
    ("aac", "r", "decode AAC"),
    ("aac", "w", "encode AAC"),
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def settings_for(args: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings: this user's, or with `--comfyui` those of a ComfyUI installation."""
    from ..settings import Settings

    if args.comfyui is None:
        return Settings.load(environment=environment)
    from .. import servers

    folder = Path(args.comfyui).expanduser().absolute()
    server, others = servers.find(folder)
    if others:
        known = ", ".join(each.home for each in others)
        show.note(f"{folder} runs several servers. Of the last one: {server.home}. Others: {known}")
    # Not by `load`: what is typed here wins over SEEDANCE_HOME and SEEDANCE_OUTPUT.
    return Settings(Path(server.home), Path(server.output), environment)


def runner_for(args: argparse.Namespace) -> Runner:
    """The runner over these settings."""
    from ..runner import shared

    return shared(settings_for(args))


# ------------------------------------------------------------------------------------- providers


def providers(args: argparse.Namespace) -> int:
    """`seedance providers`."""
    from ..capabilities import capabilities
    from ..providers import registry

    settings = settings_for(args)
    records = [
        {**capabilities(settings.configured(name)), "key": settings.key_source(name)}
        for name in registry()
    ]
    if args.json:
        show.as_json(records)
        return 0
    rows: list[tuple[str, ...]] = [("provider", "key", "model", "seconds", "resolutions", "can do")]
    for record in records:
        who = (record["id"], record["key"] or f"set {record['key_variable']}")
        for model, able in record["models"].items():
            seconds = "-".join(map(str, able["durations"]))
            rows.append(
                (*who, model, seconds, ", ".join(able["resolutions"]), ", ".join(able["modes"]))
            )
            who = ("", "")
        if not record["models"]:
            variable = f"SEEDANCE_{record['id'].upper()}_MODELS"
            rows.append((*who, "-", "-", "-", f"name its models: set {variable}"))
    show.table(rows)
    return 0


# ------------------------------------------------------------------------------------------ keys


def key_set(args: argparse.Namespace) -> int:
    """`seedance key set PROVIDER`."""
    settings = settings_for(args)
    provider = _with_key(args)
    if args.assets:
        return _signing_key_set(args, settings, provider)
    settings.set_key(provider.id, _typed("Key", provider.name))
    show.note(f"The key of {provider.name} is stored in {settings.key_file}.")
    if os.environ.get(provider.key_variable or ""):
        show.note(f"{provider.key_variable} is set too; it comes before the stored key.")
    if args.json:
        show.as_json({"provider": provider.id, "key": settings.key_source(provider.id)})
    return 0


def _with_key(args: argparse.Namespace) -> type[Provider]:
    """The provider that is named. Raises BadOrder for one that does not exist or needs no key."""
    from ..options import no_choice
    from ..providers import get, ids, is_free

    if args.provider not in ids():
        raise no_choice("provider", args.provider, [each for each in ids() if not is_free(each)])
    provider = get(args.provider)
    if provider.key_variable is None:
        raise BadOrder(f"{provider.name} needs no key.")
    return provider


def _signing_key_set(args: argparse.Namespace, settings: Settings, provider: type[Provider]) -> int:
    """Store the two halves of a signing key, each a line of standard input."""
    if not provider.can("assets"):
        raise BadOrder(f"{provider.name} has no asset library.")
    halves = [_typed(what, provider.name) for what in ("Access key id", "Secret access key")]
    settings.set_signing_key(provider.id, *halves)
    show.note(
        f"The signing key of {provider.name}'s asset library is stored in {settings.key_file}."
    )
    for variable in filter(os.environ.get, provider.asset_key_variables):
        show.note(f"{variable} is set too; it comes before the stored key.")
    if args.json:
        source = settings.signing_key_source(provider.id)
        show.as_json({"provider": provider.id, "assets": source})
    return 0


def _typed(what: str, name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    from getpass import getpass

    try:
        return getpass(f"{what} of {name} (not shown): ").strip()
    except EOFError:
        return ""
    except KeyboardInterrupt:
        show.write("\n", sys.stderr)  # after the question
        raise


def key_remove(args: argparse.Namespace) -> int:
    """`seedance key remove PROVIDER`."""
    settings = settings_for(args)
    _with_key(args)
    remove = settings.remove_signing_key if args.assets else settings.remove_key
    there = remove(args.provider)
    show.note("The stored key is removed." if there else "There was no stored key.")
    if args.json:
        show.as_json({"provider": args.provider, "removed": there})
    return 0


def key_list(args: argparse.Namespace) -> int:
    """`seedance key list`: where the key of each provider comes from."""
    from ..providers import registry

    settings = settings_for(args)
    settings.check_key_file()
    records = [
        {
            "provider": provider.id,
            "key": settings.key_source(provider.id),
            "key_variable": provider.key_variable,
        }
        for provider in registry().values()
    ]
    with_assets = [each for each in registry().values() if each.can("assets")]
    signing = {each.id: settings.signing_key_source(each.id) for each in with_assets}
    if args.json:
        for record in records:
            if record["provider"] in signing:
                record["assets"] = signing[str(record["provider"])]
        show.as_json(records)
        return 0
    rows = [(each["provider"], each["key"] or f"set {each['key_variable']}") for each in records]
    for each in with_assets:
        words = signing[each.id] or f"set {' and '.join(each.asset_key_variables)}"
        rows.append((f"{each.id} --assets", words))
    show.table([("provider", "key"), *rows])
    return 0


def key_test(args: argparse.Namespace) -> int:
    """`seedance key test PROVIDER`: a free request that only a good key can make."""
    _with_key(args)
    if args.assets:
        return _signing_key_test(args)
    balance = runner_for(args).probe_key(args.provider)
    if args.json:
        amount = balance.left.as_dict() if balance.left else None
        show.as_json({"provider": args.provider, "account": balance.account, "left": amount})
        return 0
    left = f", {show.money(balance.left)} left" if balance.left else ""
    show.line(f"The key works: {balance.account or args.provider}{left}.")
    return 0


def _signing_key_test(args: argparse.Namespace) -> int:
    runner_for(args).assets.probe_key(args.provider)
    if args.json:
        show.as_json({"provider": args.provider, "assets": "works"})
    else:
        show.line(f"The signing key works: {args.provider}.")
    return 0


# ---------------------------------------------------------------------------------------- doctor


def doctor(args: argparse.Namespace) -> int:
    """`seedance doctor`: all that a report of a fault should hold, and no secret."""
    from ..runner import shared
    from ..settings import problems

    bad = problems(os.environ)
    # All is found at once: a variable that cannot be read keeps nobody from the rest.
    good_ones = {name: value for name, value in os.environ.items() if name not in bad}
    settings = settings_for(args, good_ones)
    if args.rebuild:
        _rebuild(shared(settings))
    if args.reconcile:
        _reconcile(shared(settings))
    found = []
    for topic, words, good in (
        *((name, str(error), False) for name, error in bad.items()),
        *_findings(settings),
    ):
        found.append({"topic": topic, "found": words, "ok": good})
        if not args.json:
            show.line(f"{'ok ' if good else 'BAD'} {topic}: {words}")
    if args.json:
        show.as_json(found)
    return 0 if all(each["ok"] for each in found) else SeedanceError.exit_code


def _rebuild(runner: Runner) -> None:
    from ..journal import LIVE

    count, aside = runner.rebuild()
    if aside is not None:
        show.note(f"The damaged journal is now {aside}.")
    show.note(
        f"{count} saved video(s) were taken into the journal from the files beside them, below "
        f"{runner.settings.output}."
    )
    show.note(
        "Videos that were saved elsewhere (with -o or --out) are not among them, and would be paid "
        "for again: run this once for each of their folders, SEEDANCE_OUTPUT=FOLDER seedance "
        "doctor --rebuild."
    )
    live = runner.journal.found(sys.maxsize, states=LIVE)
    if left := [row.task for row in live if row.task]:
        show.note(f"Orders under way: {', '.join(left)}. Fetch them with: seedance collect --all")
    show.note(
        "An order whose answer had not come is not among them: look at the providers' own lists of "
        "tasks."
    )


def _reconcile(runner: Runner) -> None:
    found = runner.reconcile()
    show.note(
        f"The journal has {found.tickets} orders under way again, by their tickets below the home, "
        f"and {found.videos} saved videos, by the files beside them."
    )
    if found.listed:
        show.note(f"Read the lists of tasks of the last seven days: {', '.join(found.listed)}.")
    for provider, why in found.unread.items():
        show.note(f"The list of tasks of {provider} could not be read: {why}")
    if found.unknown:
        show.note(
            f"{len(found.unknown)} tasks there are not in the journal: they were made since the "
            "backup, or by others who use the account. seedance collect fetches one:"
        )
        for ticket in found.unknown:
            show.note(f"  {ticket}")
    show.note(
        "Do the same on every machine that carried orders before a worker is started: an order "
        "that was sent since the backup, and of which no machine has the ticket or the video, "
        "would be sent again."
    )


def _findings(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """What was looked at, what was found, and whether that is fine."""
    import platform
    from importlib import metadata

    from .. import __version__
    from ..providers import registry

    yield "seedance", __version__, True
    yield "python", f"{platform.python_version()} on {platform.platform()}", True
    for package in PACKAGES:
        try:
            yield package, metadata.version(package), True
        except metadata.PackageNotFoundError:
            yield package, "not installed", False
    for topic, folder in (("home", settings.home), ("output", settings.output)):
        writable = _writable(folder)
        yield topic, f"{folder}{'' if writable else ' cannot be written'}", writable
    journal, key_file = _journal(settings), _key_file(settings)
    yield journal
    yield _tickets(settings, journal[2])
    yield key_file
    none = "none" if key_file[2] else "not known, since the key file cannot be read"
    for provider in registry().values():
        beginning = f"SEEDANCE_{provider.id.upper()}_"
        if set_here := [name for name in os.environ if name.startswith(beginning)]:
            try:
                settings.config(provider.id)
            except BadOrder as error:
                yield ", ".join(sorted(set_here)), str(error), False
        source = settings.key_source(provider.id)
        yield f"key of {provider.id}", source or none, bool(source) or key_file[2]
        if provider.can("assets"):
            source = settings.signing_key_source(provider.id)
            yield f"signing key of {provider.id}", source or none, bool(source) or key_file[2]
    yield from _codecs()
    proxies = [name for name in os.environ if name.upper() in PROXIES]
    yield "proxies", ", ".join(sorted(proxies)) or "none", True


def _writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, or the folder itself where it does not exist yet."""
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    effective = os.access in os.supports_effective_ids
    rights = os.W_OK | os.X_OK
    return os.path.isdir(there) and os.access(there, rights, effective_ids=effective)


def _journal(settings: Settings) -> tuple[str, str, bool]:
    from ..journal import name_of, unwritable
    from ..runner import shared

    runner = shared(settings)
    # Before it is read: SQLite would make files beside it that cannot be written either.
    if bad := unwritable(runner.journal.url):
        return "journal", f"cannot be written: {', '.join(map(str, bad))}; nothing is sent", False
    try:
        runner.tasks(limit=1)
    except SeedanceError as error:
        return "journal", str(error), False
    return "journal", name_of(runner.journal.url), True


def _tickets(settings: Settings, journal: bool) -> tuple[str, str, bool]:
    """Tickets of paid tasks that the journal does not have. `_journal` has tried to give them to
    it; `journal` is whether it can be read."""
    from ..runner import tickets

    for place in (tickets.folder(settings.home), tickets.running(settings.home)):
        if not _writable(place):
            return "tickets", f"{place} cannot be written", False
    left = tickets.waiting(settings.home)
    if not left and not journal:
        return "tickets", "not compared with the journal, which cannot be read", False
    if not left:
        return "tickets", "all are in the journal", True
    return "tickets", f"not in the journal: {', '.join(left)}; seedance collect fetches them", False


def _key_file(settings: Settings) -> tuple[str, str, bool]:
    try:
        settings.check_key_file()
    except SeedanceError as error:
        return "key file", str(error), False
    there = os.path.exists(settings.key_file)
    return "key file", str(settings.key_file) if there else "none", True


def _codecs() -> Iterator[tuple[str, str, bool]]:
    from av.codec import Codec

    for name, direction, words in CODECS:
        try:
            Codec(name, direction)  # type: ignore[arg-type]
        except ValueError:  # PyAV's UnknownCodecError is one
            yield words, f"PyAV has no {name}", False
        else:
            yield words, name, True

"""What can be typed: commands, flags and their help.

Only the form of values is checked. What a provider can do, `fit` says, as it does in ComfyUI.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from .. import options
from ..errors import BadOrder
from ..order import (
    ASSET_KINDS,
    FINALS,
    MODELS,
    MOST_TAKES,
    OPERATIONS,
    OUTPUT_FORMATS,
    RATIOS,
    RESOLUTIONS,
    SEEDS,
    Order,
)
from ..texts import did_you_mean
from . import assets, batch, farm, generate, setup, show, tasks, worker

FLAGS = (
    *("--prompt", "--image", "--last-image", "--reference", "--video", "--operation"),
    *("--keep-audio", "--provider", "--model", "--resolution", "--ratio", "--duration", "--seed"),
    *("--no-audio", "--watermark", "--camera-fixed", "--on-unsupported", "--extra", "--takes"),
    *("--max-usd", "--yes", "--output", "--overwrite", "--json", "--all", "--search", "--state"),
    *("--draft", "--web-search", "--output-format", "--out", "--join", "--jobs", "--estimate"),
    *("--report", "--project", "--by", "--farm", "--priority", "--until-empty", "--reconcile"),
)
LENGTHS = "whole seconds, 4 to 15 with most models, to 30 with seedance-2.5"
MOST_ROWS = 10**9
MOST_JOBS = 500


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are errors like all others.

    Flags are not abbreviated: a script's `--video` must not change its meaning when a
    `--video-...` is added.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def _print_message(self, message: str, file: Any = None) -> None:
        show.write(message, file or sys.stderr)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it; what is not understood gets the advice of the command it follows."""
        found, left = self.parse_known_args(args, namespace)
        if left:
            self._fail(f"unrecognized arguments: {' '.join(left)}", found)
        return found

    def error(self, message: str) -> NoReturn:
        self._fail(message, argparse.Namespace())

    def _fail(self, message: str, found: argparse.Namespace) -> NoReturn:
        see = getattr(found, "prog", self.prog)
        hint = f"{self._advice(message, vars(found))}See: {see} --help"
        raise BadOrder(f"{message[:1].upper()}{message[1:]}.", hint=hint)

    def _advice(self, message: str, options: Mapping[str, Any]) -> str:
        """What a person may have meant. `options`: those of the command, by their names."""
        said, _, known = message.partition(" (choose from ")
        _, choice, typed = said.partition("invalid choice: ")
        if choice and known:
            choices = [each.strip("'") for each in known.rstrip(")").split(", ")]
            return did_you_mean(typed.strip("'"), choices)
        if message.endswith(": expected one argument"):
            flag = message.removeprefix("argument ").partition(":")[0].rpartition("/")[2]
            return f"If it begins with a dash, write it so: {flag}=-... "
        if not message.startswith("unrecognized arguments: "):
            return ""
        words = message.partition(": ")[2]
        if words.startswith("-"):
            flags = [each for each in FLAGS if each[2:].replace("-", "_") in options]
            return did_you_mean(words.split()[0], flags)
        if "prompt" not in options:
            return ""
        return f'A prompt of several words stands in quotes: --prompt "... {words}". '


def parser() -> Parser:
    """The parser of the whole command line; the chosen command is `args.run(args) -> exit code`."""
    top = Parser(
        prog="seedance",
        description="Make videos with Seedance 2.0 and 2.5 through any of several providers.",
        epilog="Videos cost money at every provider but preview, which is free and offline.",
    )
    top.add_argument("--version", action="version", version=f"seedance {_version()}")
    top.add_argument(
        "--comfyui",
        metavar="DIR",
        help="use the keys, the journal and the output folder of this ComfyUI (its code, base "
        "or user folder), whatever SEEDANCE_HOME and SEEDANCE_OUTPUT say",
    )
    top.set_defaults(run=_bare(top))
    commands = top.add_subparsers(title="commands", metavar="COMMAND")

    command = _command(commands, "generate", generate.generate, "make a video")
    _order_flags(command)
    command.add_argument("--takes", type=_takes, default=1, help=f"how many, 1 to {MOST_TAKES}")
    _money_flags(command)
    _output_flags(command)

    command = _command(
        commands,
        "check",
        generate.check,
        "show the payload, the changes and the price on each provider; orders nothing",
    )
    _order_flags(command)
    command.add_argument("--takes", type=_takes, default=1, help=argparse.SUPPRESS)
    command.add_argument("-o", "--output", help=argparse.SUPPRESS)
    command.add_argument("--overwrite", action="store_true", help=argparse.SUPPRESS)
    _json_flag(command)

    command = _command(commands, "providers", setup.providers, "what each provider can do")
    _json_flag(command)

    command = _command(commands, "tasks", tasks.tasks, "the journal, newest first")
    command.add_argument("--limit", type=_limit, default=50, metavar="N", help="how many (50)")
    command.add_argument("--search", metavar="TEXT", help="only those with TEXT in their prompt")
    command.add_argument("--state", choices=tasks.STATES, metavar="S", help="only those in a state")
    command.add_argument("--costs", action="store_true", help="totals by day and provider instead")
    command.add_argument(
        "--by",
        choices=tasks.BY,
        help="with --costs: totals by this, and what was not paid a second time",
    )
    form = command.add_mutually_exclusive_group()
    _json_flag(form)
    form.add_argument("--csv", action="store_true", help="all of them as CSV")

    command = _command(commands, "show", tasks.show_row, "everything about one order")
    command.add_argument("ticket", metavar="TICKET_OR_ROW")
    _json_flag(command)

    command = _command(commands, "collect", generate.collect, "fetch the video of a paid task")
    command.add_argument(
        "ticket", nargs="?", metavar="TICKET_OR_ROW", help="e.g. lumenfall:video_123"
    )
    command.add_argument("--all", action="store_true", help="all that are paid and not saved yet")
    _output_flags(command)

    command = _command(commands, "cancel", tasks.cancel, "ask the provider to cancel a task")
    command.add_argument("ticket", metavar="TICKET", help="a ticket, or a row of: seedance tasks")
    _json_flag(command)

    command = _command(
        commands,
        "forget",
        tasks.forget,
        "clear an unclear or unwanted row, so that the order may be sent again",
    )
    command.add_argument("ticket", metavar="TICKET_OR_ROW")
    command.add_argument("--yes", action="store_true", help="ask nothing")
    _json_flag(command)

    command = _command(
        commands, "finish", generate.finish, "make a draft into its final video (paid once)"
    )
    command.add_argument("ticket", metavar="TICKET", help="that of the draft")
    command.add_argument(
        *("--resolution",),
        type=_final,
        default=FINALS[0],
        metavar="|".join(FINALS),
        help="default: 1080p",
    )
    command.set_defaults(provider=None)
    _money_flags(command)
    _output_flags(command)

    _batch_command(commands)
    _worker_command(commands)

    key = commands.add_parser("key", help="store, remove, test or list the keys of providers")
    actions = key.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, run, help_text in (
        ("set", setup.key_set, "store a key, read from standard input or a hidden prompt"),
        ("remove", setup.key_remove, "forget the stored key"),
        ("test", setup.key_test, "ask the provider, free of charge, whether it takes the key"),
    ):
        action = _command(actions, name, run, help_text)
        action.add_argument("provider", metavar="PROVIDER")
        action.add_argument(
            "--assets", action="store_true", help="the signing key of its asset library instead"
        )
        _json_flag(action)
    action = _command(actions, "list", setup.key_list, "where the key of each provider comes from")
    _json_flag(action)

    _asset_commands(commands)

    command = _command(commands, "doctor", setup.doctor, "versions, folders, keys set, codecs")
    command.add_argument(
        "--rebuild",
        action="store_true",
        help="first take saved videos into the journal again, from the files beside them",
    )
    command.add_argument(
        "--reconcile",
        action="store_true",
        help="first find what was paid after the backup that the journal was restored from",
    )
    _json_flag(command)
    return top


def _asset_commands(commands: Any) -> None:
    asset = commands.add_parser(
        "asset", help="pictures, clips and sounds by name, for prompts: @Asset:NAME"
    )
    actions = asset.add_subparsers(title="actions", metavar="ACTION", required=True)
    where = "whose library; any: on this machine, for every provider"
    add = _command(actions, "add", assets.add, "add files to the assets of a name, each once")
    add.add_argument(
        "files", nargs="+", metavar="FILE", help="a file; with --provider also an https address"
    )
    add.add_argument("--name", required=True, metavar="NAME", help="letters, digits, _ and -")
    add.add_argument("--provider", default="any", metavar="P", help=f"{where} (default)")
    add.add_argument(
        "--kind",
        choices=ASSET_KINDS,
        default=ASSET_KINDS[1],
        metavar="|".join(ASSET_KINDS),
        help="person: a real one, who confirms on the provider's page; other: all else (default)",
    )
    lists = _command(actions, "list", assets.list_all, "the assets, here and in the libraries")
    one = _command(actions, "show", assets.show_one, "everything about the assets of a name")
    one.add_argument("name", metavar="NAME")
    gone = _command(actions, "remove", assets.remove, "delete the assets of a name")
    gone.add_argument("name", metavar="NAME", help="or a handle: asset://...")
    for action in (lists, gone):
        action.add_argument("--provider", metavar="P", help=f"only there: {where}")
    for action in (add, lists, one, gone):
        _json_flag(action)


def _batch_command(commands: Any) -> None:
    """`batch`. Its options for shots are defaults: what the list says goes before them."""
    command = _command(
        commands,
        "batch",
        batch.batch,
        "make all shots of a list; again, it makes only what is missing or changed",
    )
    command.add_argument("shots", metavar="SHOTS", help="CSV, JSON, JSONL or plain text")
    command.add_argument(
        "--out", action=_Medium, metavar="DIR", help="save them here, by the names of the shots"
    )
    command.add_argument(
        "--join", action=_Medium, metavar="FILE", help="join all shots to this film"
    )
    command.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="at most so many at once (as many as the providers have slots)",
    )
    command.add_argument(
        "--estimate", action="store_true", help="say what it costs, and make nothing"
    )
    command.add_argument(
        "--report", action=_Medium, metavar="FILE", help="what became of each take, .csv or .json"
    )
    command.add_argument(
        "--farm",
        action="store_true",
        help="put them into the queue of the farm, for: seedance worker",
    )
    command.add_argument(
        "--priority",
        type=_priority,
        metavar="N",
        help="with --farm: before all of a lower one, -100 to 100 (0)",
    )
    _money_flags(command)
    _json_flag(command)
    how = command.add_argument_group("for shots that say nothing about it")
    how.add_argument("--provider", metavar="ID")
    how.add_argument("--model", metavar="M", help=", ".join(MODELS))
    how.add_argument("--resolution", metavar="R", help=", ".join(RESOLUTIONS))
    how.add_argument("--ratio", metavar="R", help=", ".join(RATIOS))
    how.add_argument("--duration", metavar="N", help="seconds")
    how.add_argument("--no-audio", action="store_true", help="silent videos")
    how.add_argument("--on-unsupported", metavar="error|nearest")
    how.add_argument("--project", metavar="NAME")


def _worker_command(commands: Any) -> None:
    command = _command(
        commands, "worker", worker.worker, "carry what `batch --farm` put into the queue"
    )
    command.add_argument(
        "--jobs", type=_jobs, metavar="N", help="at most so many at once (as many as slots allow)"
    )
    command.add_argument(
        "--until-empty", action="store_true", help="end once nothing waits and nothing is carried"
    )
    command.add_argument("--json", action="store_true", help="a line of JSON for each that ended")


def _bare(top: Parser) -> Any:
    """What no command at all does: it shows the help."""

    def run(_: argparse.Namespace) -> int:
        top.print_help()
        top.error("the following arguments are required: COMMAND")

    return run


def _command(group: Any, name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = group.add_parser(
        name, help=help_text, description=f"{help_text[:1].upper()}{help_text[1:]}."
    )
    command.set_defaults(run=run, prog=command.prog)
    return command


def _order_flags(command: argparse.ArgumentParser) -> None:
    """The flags that make an order; which of the six ways it is follows from the media given."""
    default = Order()
    ordered = command.add_argument_group("what to make")
    ordered.add_argument(
        "--prompt", action=_Prompt, default="", metavar="TEXT", help="what happens in the video"
    )
    ordered.add_argument("--image", action=_Medium, metavar="FILE_OR_URL", help="the first frame")
    ordered.add_argument(
        "--last-image", action=_Medium, metavar="FILE_OR_URL", help="the last frame"
    )
    ordered.add_argument(
        "--reference",
        action=_Reference,
        default=[],
        metavar="FILE_OR_URL",
        help="a picture, clip or sound that the prompt calls @Image1, @Video1, @Audio1; may be "
        "repeated; write image:, video: or audio: before it where its ending does not tell",
    )
    ordered.add_argument(
        "--video", action=_Medium, metavar="FILE_OR_URL", help="the clip to edit or extend"
    )
    ordered.add_argument("--operation", metavar="|".join(OPERATIONS), help="what --video is for")
    ordered.add_argument("--keep-audio", action="store_true", help="keep the sound of --video")

    how = command.add_argument_group("how")
    how.add_argument("--provider", default=default.provider, metavar="ID", help="default: auto")
    how.add_argument("--model", default=default.model, metavar="M", help=", ".join(MODELS))
    how.add_argument(
        "--resolution", default=default.resolution, metavar="R", help=", ".join(RESOLUTIONS)
    )
    how.add_argument("--ratio", metavar="R", help=", ".join(RATIOS))
    how.add_argument(
        "--duration",
        type=_seconds,
        default=default.duration,
        metavar="N",
        help=f"{LENGTHS}; -1 lets the model decide (default: 5)",
    )
    how.add_argument(
        *("--seed",),
        type=_seed,
        default=default.seed,
        metavar="N",
        help=f"another seed, another video: 0 to {SEEDS - 1} (default: 0)",
    )
    how.add_argument("--no-audio", action="store_true", help="a silent video")
    how.add_argument(
        "--draft", action="store_true", help="a cheap 480p draft; `seedance finish` makes it final"
    )
    how.add_argument("--web-search", action="store_true", help="the model may look things up")
    how.add_argument(
        "--output-format",
        default=default.output_format,
        metavar="|".join(OUTPUT_FORMATS),
        help="mov: a 4:4:4 master with PCM sound, where the provider has it",
    )
    how.add_argument(
        "--project", default="", metavar="NAME", help="a label, for: seedance tasks --costs --by"
    )
    how.add_argument("--watermark", action="store_true")
    how.add_argument("--camera-fixed", action="store_true")
    how.add_argument(
        "--on-unsupported",
        default=default.on_unsupported,
        metavar="error|nearest",
        help="refuse what a provider cannot do, or take the nearest that it can",
    )
    how.add_argument(
        "--extra", metavar="JSON", help="fields of one provider's own, keyed by provider id"
    )


def _money_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--max-usd", metavar="X", help="send nothing that costs more by its estimate, in all"
    )
    command.add_argument("--yes", action="store_true", help="ask nothing before it is paid")


def _output_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        *("-o", "--output"),
        action=_Medium,
        metavar="FILE",
        help="save here; more takes become FILE-2 and so on",
    )
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="replace FILE, whatever it is, and what is beside it",
    )
    _json_flag(command)


def _json_flag(command: Any) -> None:
    command.add_argument("--json", action="store_true", help="JSON on standard output")


class _Medium(argparse.Action):
    """A medium, which must be named and may be given once."""

    def __call__(self, parser: Any, names: Any, value: Any, option: str | None = None) -> None:
        if not str(value).strip():
            raise argparse.ArgumentError(self, "there is nothing after it; leave it out instead")
        if getattr(names, self.dest) is not None:
            raise argparse.ArgumentError(self, "it is given twice")
        setattr(names, self.dest, value)


class _Prompt(argparse.Action):
    """The prompt, which may be given once: the last one would win without a word."""

    def __call__(self, parser: Any, names: Any, value: Any, option: str | None = None) -> None:
        if getattr(names, self.dest):
            raise argparse.ArgumentError(self, "it is given twice")
        setattr(names, self.dest, value)


class _Reference(argparse.Action):
    def __call__(self, parser: Any, names: Any, value: Any, option: str | None = None) -> None:
        if not str(value).strip():
            raise argparse.ArgumentError(self, "there is nothing after it; leave it out instead")
        setattr(names, self.dest, [*getattr(names, self.dest), value])


def _takes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_TAKES:
        raise argparse.ArgumentTypeError(f"use a number from 1 to {MOST_TAKES}, not {text!r}")
    return int(text)


def _seconds(text: str) -> int:
    try:
        return options.whole("duration", text)
    except BadOrder:
        raise argparse.ArgumentTypeError(f"use {LENGTHS}, or -1, not {text[:20]!r}") from None


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"use a whole number from 0 to {SEEDS - 1}, not {text[:40]!r}"
        ) from None


def _final(text: str) -> str:
    if text not in FINALS:
        raise argparse.ArgumentTypeError(f"use {' or '.join(FINALS)}, not {text[:20]!r}")
    return text


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"use a number from 1 to {MOST_JOBS}, not {text[:20]!r}")
    return int(text)


def _priority(text: str) -> int:
    if (
        not text.lstrip("-").isdecimal()
        or not -farm.MOST_PRIORITY <= int(text) <= farm.MOST_PRIORITY
    ):
        most = farm.MOST_PRIORITY
        raise argparse.ArgumentTypeError(f"use a number from -{most} to {most}, not {text[:20]!r}")
    return int(text)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_ROWS:
        raise argparse.ArgumentTypeError(f"use a number from 1 to {MOST_ROWS}, not {text[:20]!r}")
    return int(text)


def _version() -> str:
    from .. import __version__

    return __version__

"""`main`: the whole cycle in one run, with a child run for each stage."""

import json
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from lrface.cli.context import Context
from lrface.cli.parameters.stages import DIRECT, PROMOTE, Configs, stage_configs, stages_of, work_of
from lrface.cli.terminal.journey import Journey
from lrface.config import (
    EvaluateSettings,
    FinetuneSettings,
    MainSettings,
    PairSettings,
    PrepareSettings,
    PretrainSettings,
    PromoteSettings,
    TrainDsrSettings,
)
from lrface.data.settings import PackData
from lrface.evaluation.report.lead import aligned
from lrface.jobs import evaluate, finetune, prepare, pretrain, promote, train_dsr
from lrface.jobs.shared.done import Done
from lrface.jobs.shared.inputs import OTHERS, START, TAUGHT_BY, networks_of, weights_digest
from lrface.jobs.shared.networks import NONE
from lrface.jobs.shared.packs import data_digest
from lrface.jobs.shared.stage import NOT_WORK, stage
from lrface.tracking.addresses import run_page, version_page, where_to_look
from lrface.tracking.names import Alias
from lrface.tracking.notes import NOTE, cycle_note
from lrface.tracking.runs.run import Run

Measuring = TypeVar("Measuring", bound=EvaluateSettings)
DIRECT_START = "direct_start"
"""Name in the arms of the direct recogniser that the pair starts from; `direct` is the same one trained on."""


def run(settings: MainSettings, context: Context) -> promote.Promotion:
    """Prepare, pretrain, train, fine-tune, train again, evaluate, promote.

    The rival of the pair, fine-tuned on small faces alone, has seen as many faces as the pair's own recogniser: from
    the same start, or where the pair starts from it, trained on for as long.
    """
    configs = stage_configs(settings, context.given)
    plan = {name: config.model_dump(mode="json", exclude=set(NOT_WORK)) for name, config in configs.by_stage.items()}
    given = configs.of("prepare", PrepareSettings).data
    # A stage that is done is not looked at again, so what it has read must be part of what this cycle is.
    inputs = {
        "plan": json.dumps(plan, sort_keys=True),
        "data": data_digest(given, context),
        "edgeface": weights_digest(configs.of("pretrain", PretrainSettings).edgeface.weights, context),
        **networks_of(configs.of("train_dsr", TrainDsrSettings), context, ("start", *OTHERS)),
    }
    for name in ("finetune", DIRECT):
        beside = networks_of(configs.of(name, FinetuneSettings), context, TAUGHT_BY)
        inputs |= {f"{name} {key}": digest for key, digest in beside.items()}
    with stage("main", settings, context, name="cycle", inputs=inputs) as work:
        done = Done(work.folder / "stages.json", context)
        way = context.terminal.journey = Journey(stages_of(settings, configs), work_of(configs, settings.cycles))

        def once(name: str, make: Callable[[], str]) -> str:
            way.begin(name)
            fresh = not done.has(name)
            context.terminal.stage(name)
            made = done.once(name, make)
            way.end(worked=fresh)
            return made

        def prepared() -> str:
            return prepare.run(configs.of("prepare", PrepareSettings), context, work.run).location

        cache = given.model_dump(include={"cache", "cache_gb"}) if isinstance(given, PackData) else {}
        data = PackData(source=once("prepare", prepared), **cache)

        def pretrained() -> str:
            return pretrain.run(configs.of("pretrain", PretrainSettings, data=data), context, work.run).uri

        def super_resolver(supervisor: str, **changes: object) -> str:
            wanted = configs.of("train_dsr", TrainDsrSettings, data=data, edgeface=supervisor, **changes)
            return train_dsr.run(wanted, context, work.run).uri

        def taught(start: str, wanted: FinetuneSettings) -> dict[str, object]:
            """What is fine-tuned again stays near the first recogniser, as what was fine-tuned before did."""
            again = {"teacher": wanted.teacher} if start != first else {}
            again |= {"back_to": wanted.back_to} if start != first and wanted.tuned_share < 1 else {}
            given = {name: first for name, named in again.items() if named == START}
            return {"data": data, "edgeface": start, **given}

        def finetuned(start: str, resolver: str) -> str:
            wanted = configs.of("finetune", FinetuneSettings)
            changes = {**taught(start, wanted), "dsr": resolver, "alias": "finetuned"}
            made = finetune.run_both(wanted.model_copy(update=changes), context, work.run)
            return made.edgeface.uri if made.dsr is None else f"{made.edgeface.uri} {made.dsr.uri}"

        def direct(start: str, **more: object) -> str:
            wanted = configs.of(DIRECT, FinetuneSettings)
            changes = {**taught(start, wanted), "dsr": NONE, "alias": "direct", **more}
            return finetune.run(wanted.model_copy(update=changes), context, work.run).uri

        first, rival = once("pretrain", pretrained), NONE
        recognisers = {first: Alias.PRETRAINED.value}
        start = first
        if settings.with_direct:
            goes_on = settings.order == "from_direct"
            # Whole where others go on from it: what they end with goes a part of the way back, once.
            rival = once(
                "direct", partial(direct, first, **({"tuned_share": 1.0, "back_to": START} if goes_on else {}))
            )
            if goes_on:
                start = rival
                recognisers[start] = DIRECT_START
                rival = once("direct, trained on", partial(direct, start))
            recognisers[rival] = Alias.DIRECT.value
        baseline = resolver = once("train_dsr baseline", partial(super_resolver, start))
        for number in range(1, settings.cycles + 1):
            tuned, _, with_it = once(f"finetune {number}", partial(finetuned, start, resolver)).partition(" ")
            if with_it:
                resolver = with_it
                continue
            changes = {
                "start": resolver if settings.warm_start else "none",
                "allow_second_cycle": settings.allow_second_cycle,
            }
            resolver = once(f"train_dsr cycle {number}", partial(super_resolver, tuned, **changes))

        # By version and not by alias: another cycle on the same registry may move the aliases meanwhile.
        recognisers[tuned] = Alias.FINETUNED.value

        def evaluated() -> str:
            arms = {"edgeface": tuple(recognisers), "dsr": (baseline, resolver)}
            wanted = _beside(configs.of("evaluate", EvaluateSettings, data=data, **arms), rival)
            names = recognisers | {baseline: Alias.BASELINE.value, resolver: Alias.CYCLE.value}
            return evaluate.run(wanted, context, work.run, labels=names).run_id

        told = once("evaluate", evaluated)
        way.begin(PROMOTE)
        context.terminal.stage(PROMOTE)
        pair = PairSettings(edgeface=tuned, dsr=resolver)
        ended = promote.run(_beside(_deciding(configs, data, pair), rival), context, work.run)
        context.terminal.journey = None
        work.run.set_tags({"promoted": ended.promoted, "pair": ended.pair.uri})
        work.run.set_tags({NOTE: _note(work.run, told, ended)})
        looks = where_to_look(context.store, work.run.run_id, ended.run_id)
        for line in (*aligned(ended.table), ended.sentence, *looks):
            context.terminal.result(line)
        return ended


def _note(run: Run, told: str, ended: promote.Promotion) -> str:
    """What the page of the cycle says, with what a person opens next."""
    report = "evaluation/report.html"
    links = [
        ("report of the decision", run_page(run.store, ended.run_id, report)),
        ("report of every arm", run_page(run.store, told, report)),
        (f"the pair, {ended.pair.uri}", version_page(ended.pair.name, ended.pair.version)),
    ]
    return cycle_note(run, ended.table, ended.sentence, links, ended.pictures)


def _beside(wanted: Measuring, rival: str) -> Measuring:
    """A config with the rival of this cycle, or none, where the user names no other."""
    return wanted.model_copy(update={"direct": rival}) if wanted.direct == "auto" else wanted


def _deciding(configs: Configs, data: PackData, pair: PairSettings) -> PromoteSettings:
    """The config of `promote`, on the pair of this cycle where the user names no other."""
    wanted = configs.of("promote", PromoteSettings, data=data)
    return wanted.model_copy(update={"pair": pair}) if wanted.pair == PairSettings() else wanted

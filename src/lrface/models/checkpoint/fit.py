"""Holds the weights of a checkpoint against the EdgeFace that they fit best."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from lrface.models.checkpoint.layout import Weights, best_variant, expected_shapes, find_prefixes
from lrface.models.checkpoint.report import Mismatch, Report, shortened


def compare(
    report: Report, weights: Weights, *, variant: str | None, prefix: str | None
) -> tuple[Report, Mapping[str, Tensor]]:
    """Complete a report with what the weights lack, have over, or have in another shape.

    Args:
        report: What is known of the file so far.
        weights: The tensors of the file.
        variant: The size to hold them against; None takes the best-fitting one.
        prefix: What the names start with; None finds it.

    Returns:
        The report, and the tensors of the network under their names without prefix.
    """
    prefixes = find_prefixes(weights.state)
    if prefix is None and len(prefixes) > 1:
        found = f"it holds several EdgeFaces, under {', '.join(repr(name) for name in prefixes)}"
        return replace(report, findings=(found,), remedy="say which one is meant (prefix)"), {}
    chosen = prefix if prefix is not None else next(iter(prefixes), "")
    inside = {name.removeprefix(chosen): value for name, value in weights.state.items() if name.startswith(chosen)}
    outside = tuple(name for name in weights.state if not name.startswith(chosen))
    if any(name.endswith(".base.weight") for name in inside):
        found = "it holds low-rank adapters beside the layers that they adapt"
        return replace(report, findings=(found,), remedy="merge the adapters, and save the plain network"), {}
    fitting = best_variant({name: tuple(value.shape) for name, value in inside.items()})
    if fitting is None and variant is None:
        found = f"it holds the weights of another network ({shortened(tuple(weights.state)) or 'no tensors'})"
        return replace(report, findings=(found,), remedy="give the weights of an EdgeFace"), {}
    if fitting is not None and variant in (None, fitting[0]):
        name, low_rank_head = fitting
    else:
        name, low_rank_head = str(variant), True
    expected = expected_shapes(name, low_rank_head=low_rank_head)
    state = {key: value for key, value in inside.items() if key in expected}
    complete = replace(
        report,
        variant=name,
        fitting=fitting[0] if fitting else None,
        low_rank_head=low_rank_head,
        prefix=chosen,
        parameters=sum(value.numel() for value in state.values()),
        missing=tuple(key for key in expected if key not in inside),
        unexpected=(*(key for key in inside if key not in expected), *(outside if weights.strict else ())),
        mismatched=tuple(_mismatches(state, expected)),
        non_finite=tuple(key for key, value in state.items() if not value.isfinite().all()),
        ignored=() if weights.strict else outside,
    )
    return judged(complete), state


def judged(report: Report) -> Report:
    """The report with its verdict, findings and remedy, from the names that it lists."""
    findings = tuple(_findings(report))
    faults = bool(report.missing or report.unexpected or report.mismatched or report.non_finite)
    return replace(report, loadable=not faults, findings=findings, remedy=_remedy(report) if faults else "")


def _mismatches(state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> Iterator[Mismatch]:
    for name, value in state.items():
        shape = tuple(value.shape)
        if shape != expected[name]:
            yield Mismatch(name, str(shape), str(expected[name]))
        elif not value.is_floating_point():
            yield Mismatch(name, str(value.dtype).removeprefix("torch."), "float32")


def _findings(report: Report) -> Iterator[str]:
    if report.fitting not in (None, report.variant):
        yield f"it fits EdgeFace {report.fitting} and not {report.variant}"
    if report.missing:
        yield f"it lacks {len(report.missing)} tensors ({shortened(report.missing)})"
    if report.unexpected:
        yield f"it has {len(report.unexpected)} tensors too many ({shortened(report.unexpected)})"
    if report.mismatched:
        listed = tuple(f"{m.name}: {m.got} for {m.expected}" for m in report.mismatched)
        yield f"{len(listed)} tensors differ in shape or type ({shortened(listed)})"
    if report.non_finite:
        yield f"{len(report.non_finite)} tensors hold NaN or infinity ({shortened(report.non_finite)})"
    if report.quantised:
        yield "its int8 weights are turned to float on loading"
    if report.stand_ins:
        yield f"it names classes that were not imported ({shortened(report.stand_ins)})"
    if report.ignored:
        yield f"{len(report.ignored)} tensors of other parts of the training are left out"


def _remedy(report: Report) -> str:
    if report.non_finite:
        return "the training that wrote it diverged: take an earlier checkpoint"
    if report.fitting not in (None, report.variant):
        return f"ask for the variant {report.fitting}, or give a file of {report.variant}"
    if report.missing and not (report.unexpected or report.mismatched):
        return "give a complete file, or name these in allow_missing to start them anew"
    return "give weights that were made for this network"

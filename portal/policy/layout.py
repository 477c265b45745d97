"""Where everything of a YAML text stands, so that one value can be changed and every other character stays as it was.

In: the text of a document that the loader accepts. Out: `Spot` trees with the places of their first and last character, and new
texts made of the old one with some places spliced.
Invariants: what is not touched keeps its comments, quotes, order and blank lines; a comment above a rule goes along with it.
Never: a look at what anything means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from portal.policy.written import Tree, flow, scalar


@dataclass(slots=True)
class Spot:
    """A value of the text. ``keys`` and ``items`` have one length for a mapping; ``keys`` is empty for a list."""

    kind: str  # scalar | list | map
    start: int
    end: int
    flow: bool = True
    text: str = ""
    keys: list[Spot] = field(default_factory=list)
    items: list[Spot] = field(default_factory=list)

    def find(self, key: str) -> Spot | None:
        """The value under a key."""
        return next((item for name, item in zip(self.keys, self.items, strict=True) if name.text == key), None)


@dataclass(frozen=True, slots=True)
class Splice:
    """``text`` in the place of everything from ``start`` up to ``end``."""

    start: int
    end: int
    text: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text with all splices made; they do not overlap. What is put in at one place comes in the given order."""
    ordered = sorted(enumerate(splices), key=lambda each: (each[1].start, each[0]), reverse=True)
    for _position, each in ordered:
        text = text[: each.start] + each.text + text[each.end :]
    return text


def survey(text: str) -> Spot:
    """The root of a text that the loader accepts (so: one document, no anchors, no tags)."""
    stack: list[Spot] = []
    root: Spot | None = None
    for event in YAML(typ="safe", pure=True).parse(text):
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            done = stack.pop()
            last = done.items[-1].end if done.items else done.end
            done.end = end if done.flow else last
            continue
        if isinstance(event, ScalarEvent):
            # The mark of a literal block is behind its blank lines.
            end = start + len(text[start:end].rstrip()) if event.style in ("|", ">") else end
            spot = Spot("scalar", start, end, text=event.value)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            kind = "map" if isinstance(event, MappingStartEvent) else "list"
            spot = Spot(kind, start, end, flow=bool(event.flow_style))
        else:
            continue
        if not stack:
            root = spot
        elif stack[-1].kind == "map" and len(stack[-1].keys) == len(stack[-1].items):
            stack[-1].keys.append(spot)
        else:
            stack[-1].items.append(spot)
        if spot.kind != "scalar":
            stack.append(spot)
    if root is None:
        raise ValueError("the text holds no document")
    return root


def comments(text: str, spot: Spot) -> list[str]:
    """The comments within a value, in order."""
    found: list[str] = []
    at = spot.start
    for leaf in [*_scalars(spot), Spot("scalar", spot.end, spot.end)]:
        found += re.findall(r"(?:^|(?<=\s))#[^\n]*", text[at : leaf.start], re.MULTILINE)
        at = leaf.end
    return [each.rstrip() for each in found]


def _scalars(spot: Spot) -> Iterable[Spot]:
    if spot.kind == "scalar":
        yield spot
    for position, item in enumerate(spot.items):
        if spot.keys:
            yield spot.keys[position]
        yield from _scalars(item)


def as_tree(spot: Spot) -> Tree:
    """What stands there, all scalars as text."""
    if spot.kind == "scalar":
        return spot.text
    if spot.kind == "list":
        return [as_tree(item) for item in spot.items]
    return {key.text: as_tree(item) for key, item in zip(spot.keys, spot.items, strict=True)}


def _alike(there: Tree, wanted: Tree) -> bool:
    if isinstance(wanted, dict):
        return (
            isinstance(there, dict) and set(there) == set(wanted) and all(_alike(there[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, list):
        return isinstance(there, list) and len(there) == len(wanted) and all(map(_alike, there, wanted))
    return there == (scalar(wanted) if isinstance(wanted, bool) else str(wanted))


def replaced(text: str, spot: Spot, wanted: Tree, key: Spot | None = None) -> list[Splice]:
    """The value in its place. Mappings are gone through key by key, so that an entry that stays keeps its spelling.

    ``key`` is given for an entry of a block mapping: a value that stood beneath it is then written behind it.
    """
    if _alike(as_tree(spot), wanted):
        return []
    if isinstance(wanted, dict) and wanted and spot.kind == "map" and spot.items:
        return changed(text, spot, wanted)
    if key is not None and not spot.flow:
        spot = replace(spot, start=text.index(":", key.end) + 1)
        return [*_rescued(text, spot), Splice(spot.start, spot.end, f" {flow(wanted)}")]
    return [*_rescued(text, spot), Splice(spot.start, spot.end, flow(wanted))]


def changed(text: str, spot: Spot, wanted: dict[str, Tree], keep: frozenset[str] = frozenset()) -> list[Splice]:
    """A mapping brought to ``wanted``; the entries named in ``keep`` stay as they are written, whatever ``wanted`` says."""
    if spot.flow:
        parts = []
        for key, item in zip(spot.keys, spot.items, strict=True):
            if key.text in keep or (key.text in wanted and _alike(as_tree(item), wanted[key.text])):
                parts.append(text[key.start : item.end])
            elif key.text in wanted:
                parts.append(f"{text[key.start : key.end]}: {flow(wanted[key.text])}")
        there = {key.text for key in spot.keys}
        parts += [f"{scalar(key)}: {flow(value)}" for key, value in wanted.items() if key not in there]
        return [*_rescued(text, spot), Splice(spot.start, spot.end, "{" + ", ".join(parts) + "}")]
    splices: list[Splice] = []
    for position, (key, item) in enumerate(zip(spot.keys, spot.items, strict=True)):
        if key.text in keep:
            continue
        if key.text in wanted:
            splices += replaced(text, item, wanted[key.text], key)
        else:
            splices.append(_without(text, spot, position))
    there = {key.text for key in spot.keys}
    column = spot.keys[0].start - line_start(text, spot.keys[0].start)
    fresh = [f"{' ' * column}{scalar(key)}: {flow(value)}" for key, value in wanted.items() if key not in there]
    if fresh:
        # Where the last entry goes, its line break is the one in front of the first new line.
        at = line_end(text, spot.end)
        splices.append(Splice(at, at, "".join(f"\n{line}" for line in fresh)))
    return splices


def _without(text: str, spot: Spot, position: int) -> Splice:
    """An entry of a block mapping taken out with its line, and with the comments that are written beneath it."""
    key, item = spot.keys[position], spot.items[position]
    if text[line_start(text, key.start) : key.start].strip():
        # The first entry stands behind a dash: the next one takes its place.
        follower = spot.keys[position + 1].start if position + 1 < len(spot.keys) else item.end
        return Splice(key.start, follower, "")
    return Splice(line_start(text, key.start), min(line_end(text, item.end) + 1, len(text)), "")


def _rescued(text: str, spot: Spot) -> list[Splice]:
    """Comments from within a value that is written anew, put above the line on which it starts."""
    found = comments(text, spot)
    if not found:
        return []
    at = line_start(text, spot.start)
    indent = re.match(r"\s*", text[at:])[0].split("\n")[0]  # type: ignore[index]
    return [Splice(at, at, "".join(f"{indent}{each}\n" for each in found))]


def line_start(text: str, at: int) -> int:
    """Where the line of a place begins."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Where the line of a place ends, before its line break."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found


@dataclass(frozen=True, slots=True)
class Blocks:
    """A block list as blocks and what stands between them: ``gaps[i]`` before ``blocks[i]``, the last gap after all."""

    start: int
    end: int
    blocks: tuple[str, ...]
    gaps: tuple[str, ...]

    def text(self) -> str:
        return "".join(gap + block for gap, block in zip(self.gaps, (*self.blocks, ""), strict=True))


def blocks(text: str, spot: Spot) -> Blocks:
    """The items of a block list, each with its dash, the comment lines right above it and those that are indented beneath it."""
    spans: list[tuple[int, int]] = []
    for item in spot.items:
        dash = text.rfind("-", 0, item.start)
        start = line_start(text, dash)
        column = dash - start
        while start and text[line_start(text, start - 1) : start].strip().startswith("#"):
            above = line_start(text, start - 1)
            if (spans and above < spans[-1][1]) or _column(text, above) > column:
                break
            start = above
        end = min(line_end(text, item.end) + 1, len(text))
        while (
            end < len(text) and text[end : line_end(text, end)].strip().startswith("#") and _column(text, end) > column
        ):
            end = min(line_end(text, end) + 1, len(text))
        spans.append((start, end))
    first, last = spans[0][0], spans[-1][1]
    cuts = [first, *(at for span in spans for at in span), last]
    gaps = tuple(text[cuts[at] : cuts[at + 1]] for at in range(0, len(cuts), 2))
    held = tuple(_ended(text[start:end]) for start, end in spans)
    return Blocks(first, last, held, gaps)


def _ended(block: str) -> str:
    return block if block.endswith("\n") else block + "\n"


def _column(text: str, at: int) -> int:
    line = text[at : line_end(text, at)]
    return len(line) - len(line.lstrip())

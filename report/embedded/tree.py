"""Small helpers for Pandoc's JSON syntax tree: nodes are dicts {"t": type, "c": content}."""

from collections.abc import Callable


def node(kind: str, content=None) -> dict:
    return {"t": kind} if content is None else {"t": kind, "c": content}


def text_of(value) -> str:
    """The plain text of inlines."""
    if isinstance(value, list):
        return "".join(text_of(item) for item in value)
    if not isinstance(value, dict):
        return ""
    kind = value["t"]
    if kind == "Str":
        return value["c"]
    if kind in ("Space", "SoftBreak", "LineBreak"):
        return " "
    if kind in ("Code", "Math"):
        return value["c"][1]
    return text_of(value.get("c", []))


def rewrite(value, change: Callable[[dict], object]):
    """Rebuild a tree from the leaves up; `change` gets each node and returns a node, a list of nodes, or None to keep it."""
    if isinstance(value, list):
        rebuilt = []
        for item in value:
            result = rewrite(item, change)
            rebuilt.extend(result) if isinstance(item, dict) and "t" in item and isinstance(result, list) else rebuilt.append(result)
        return rebuilt
    if isinstance(value, dict):
        value = {key: rewrite(item, change) for key, item in value.items()}
        if "t" in value:
            changed = change(value)
            return value if changed is None else changed
    return value

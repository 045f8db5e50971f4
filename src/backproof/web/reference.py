"""The API reference as one HTML page, made from the OpenAPI document."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from backproof.web.openapi import PATH, all_kinds

_METHODS = ("get", "post", "patch", "put", "delete")


def reference_page(document: Mapping[str, Any]) -> str:
    body = "\n".join(_sections(document))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>backproof API</title>
<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
{body}
</body>
</html>
"""


def _sections(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f'<header><h1>backproof API</h1><p class="lead">Version {escape(info["version"])} · '
    yield f'<a href="/">Start page</a> · <a href="{PATH}">OpenAPI 3.1 document</a></p>'
    tags = document["tags"]
    links = "".join(f'<li><a href="#{tag["name"]}">{tag["name"]}</a></li>' for tag in tags)
    yield f'<nav aria-label="Sections"><ul>{links}<li><a href="#problems">problems</a></li></ul></nav></header><main>'
    yield _prose(info["description"])
    for tag in tags:
        yield f'<section id="{tag["name"]}"><h2>{tag["name"]}</h2><p>{escape(tag["description"])}</p>'
        for path, item in document["paths"].items():
            for method in _METHODS:
                if method in item and tag["name"] in item[method]["tags"]:
                    yield from _operation(path, method, item[method])
        yield "</section>"
    yield '<section id="problems"><h2>Problems</h2><table><tr><th>code</th><th>status</th><th>meaning</th></tr>'
    for code, kind in sorted(all_kinds().items(), key=lambda entry: (entry[1].status, entry[0])):
        yield f'<tr id="problem-{code}"><td><code>{code}</code></td><td>{kind.status}</td>'
        yield f"<td>{escape(kind.meaning)}</td></tr>"
    yield "</table></section></main>"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{operation["operationId"]}"><span class="verb {method}">{method.upper()}</span> '
    yield f"<code>{escape(path)}</code></h3><p>{escape(operation['summary'])}. "
    yield f"{_inline(operation.get('description', ''))}</p>"
    if parameters := operation.get("parameters"):
        yield "<details><summary>Parameters</summary><table><tr><th>name</th><th>in</th><th>what</th></tr>"
        for parameter in parameters:
            what = " · ".join(filter(None, (_type(parameter["schema"]), parameter.get("description", ""))))
            yield f"<tr><td><code>{parameter['name']}</code></td><td>{parameter['in']}</td>"
            yield f"<td>{_inline(what)}</td></tr>"
        yield "</table></details>"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for example in content.get("examples", {}).values():
            value = json.dumps(example["value"], indent=2, ensure_ascii=False)
            yield f"<details><summary>Body: {escape(example['summary'])}</summary><pre>{escape(value)}</pre></details>"
    answers = (f"{status} {escape(answer['description'])}" for status, answer in sorted(operation["responses"].items()))
    yield f"<details><summary>Answers</summary><p>{'<br>'.join(answers)}</p></details>"


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    words = [str(schema.get("type", "any"))]
    words += [
        f"{word} {schema[key]}"
        for key, word in (("minimum", ">="), ("maximum", "<="), ("default", "default"))
        if key in schema
    ]
    return ", ".join(words)


def _prose(text: str) -> str:
    """The little Markdown that the description uses: paragraphs, one table, bold, code."""
    parts = []
    for block in text.strip().split("\n\n"):
        if block.startswith("|"):
            rows = [line.strip("|").split("|") for line in block.split("\n") if not re.fullmatch(r"[|\s-]+", line)]
            cells = ["".join(f"<td>{_inline(cell.strip())}</td>" for cell in row) for row in rows]
            parts.append("<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>")
        else:
            parts.append(f"<p>{_inline(block)}</p>")
    return "\n".join(parts)


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)

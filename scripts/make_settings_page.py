"""Make docs/reference/settings.md from the settings themselves: scripts/make_settings_page.py"""

import inspect
import re
import sys
from pathlib import Path

from backproof.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
HEAD = """# Settings

Made by `scripts/make_settings_page.py` from the settings themselves; a test holds it to them. Each is an environment
variable, or a line of the file `.env` in the directory that the command is started in. A wrong value ends the start
with one line that names it. Limits that are in force are also on the web application's System page.
"""


def page() -> str:
    sections = {name: title for title, names in _sections() for name in names}
    lines, last = [HEAD], ""
    for name, field in Settings.model_fields.items():
        if sections[name] != last:
            last = sections[name]
            lines += [f"## {last[0].upper()}{last[1:]}\n", "| setting | default | |", "|---|---|---|"]
        if field.description is None:
            raise SystemExit(f"{name} has no description")
        default = None if field.default_factory is not None else field.default
        shown = f"{default:g}" if isinstance(default, float) else str(default) if default not in (None, ()) else ""
        lines.append(f"| `{name.upper()}` | {f'`{shown}`' if shown else ''} | {field.description} |")
        following = list(Settings.model_fields)[list(Settings.model_fields).index(name) + 1 :]
        if not following or sections[following[0]] != last:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _sections() -> list[tuple[str, list[str]]]:
    """The `# --- title` comments of the class, and the fields below each."""
    found: list[tuple[str, list[str]]] = []
    for line in inspect.getsource(Settings).splitlines():
        if (title := re.fullmatch(r"    # --- (.+)", line)) is not None:
            found.append((title[1], []))
        elif (field := re.match(r"    (\w+): ", line)) is not None and found and field[1] in Settings.model_fields:
            found[-1][1].append(field[1])
    return found


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")

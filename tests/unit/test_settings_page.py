"""The page of settings is what the settings are."""

import importlib.util
from pathlib import Path
from types import ModuleType

from backproof.settings import Settings

ROOT = Path(__file__).parents[2]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_settings_page", ROOT / "scripts" / "make_settings_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_settings_are() -> None:
    assert script().PAGE.read_text() == script().page(), "remake it: scripts/make_settings_page.py"


def test_every_setting_is_on_it() -> None:
    page = script().PAGE.read_text()
    assert [name for name in Settings.model_fields if f"| `{name.upper()}` |" not in page] == []

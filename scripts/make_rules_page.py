"""Make docs/reference/rules-language.md from the language itself: scripts/make_rules_page.py"""

import sys
from pathlib import Path

from backproof.engine.rules.reference import page

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "rules-language.md"

if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")

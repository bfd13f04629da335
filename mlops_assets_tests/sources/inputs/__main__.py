"""Print docs/inputs.md."""

import sys

from mlops_assets_tests.sources.inputs.page import to_markdown

sys.stdout.write(to_markdown())

"""Print the JSON Schema of the spec."""

import json
import sys

from mlops_assets.spec.schema import json_schema

sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")

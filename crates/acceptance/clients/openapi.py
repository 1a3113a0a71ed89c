"""schemathesis makes up requests for everything that the two OpenAPI documents tell of, and holds the answers against them."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A request that makes no sense for a reason that a schema does not tell (an order whose filters fail, a market that is not
# there) is refused, and sense may be made of one that a schema forbids (a number in other digits): neither is a promise broken.
LEFT_OUT = "positive_data_acceptance,negative_data_rejection,unsupported_method,ignored_auth"


def document(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as answer:
        return json.load(answer)


def hold(name, told, base, environment):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.json")
        path.write_text(json.dumps(told))
        run = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"), "run", path, "--url", base, "--seed", "7", "--max-examples", "10",
                "--phases", "coverage,fuzzing", "--exclude-checks", LEFT_OUT, "--generation-database", "none", "--no-color",
            ],
            cwd=folder,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "openapi_hooks", "PYTHONPATH": str(HERE), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    assert run.returncode == 0, f"{name}: {run.stdout[-6000:]}"
    operations = sum(len(verbs) for verbs in told["paths"].values())
    assert f"Tested: {operations}" in run.stdout, f"{name}, all {operations}: {run.stdout[-3000:]}"


traders = document(os.environ["RIALTO_URL"] + "/api/v3/openapi.json")
signed = [
    f"{verb.upper()}:{path}"
    for path, verbs in traders["paths"].items()
    for verb, operation in verbs.items()
    if operation.get("security")
]
assert "POST:/api/v3/order" in signed and "GET:/api/v3/depth" not in signed
hold("traders", traders, os.environ["RIALTO_URL"], {"SIGNED": " ".join(signed)})

token = os.environ["RIALTO_ADMIN_TOKEN"]
operator = document(os.environ["RIALTO_ADMIN_URL"] + "/admin/v1/openapi.json", {"Authorization": f"Bearer {token}"})
hold("operator", operator, os.environ["RIALTO_ADMIN_URL"], {"SHOWN": token})
print("all is as expected")

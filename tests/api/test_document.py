"""The OpenAPI document is valid 3.1, names every answer, and holds the API alone."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.api.client import Api


@pytest.fixture(scope="module")
def spec(api: Api) -> dict[str, Any]:
    """The document, as anybody may read it."""
    answer = api.get("/openapi.json", token="")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return dict(answer.json)


def operations(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, each) for path, found in spec["paths"].items() for method, each in found.items()]


def test_it_is_valid_openapi_3_1(spec: dict[str, Any]) -> None:
    assert spec["openapi"] == "3.1.0"
    errors = jsonschema_rs.Draft202012Validator(OPENAPI_31).iter_errors(spec)
    assert [error.message for error in errors] == []


def test_every_schema_is_a_valid_json_schema_and_every_reference_leads_somewhere(spec: dict[str, Any]) -> None:
    for name, schema in spec["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema), name
    references: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                references.append(value["$ref"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(spec)
    assert references
    for reference in set(references):
        found: Any = spec
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_it_holds_the_api_alone_and_no_host(spec: dict[str, Any]) -> None:
    assert all(path.startswith("/api/v1/") for path in spec["paths"])
    assert spec["servers"] == [{"url": "/"}]
    assert "/api/v1/openapi.json" not in spec["paths"]


def test_it_does_not_change_with_the_address_it_is_asked_under(api: Api, spec: dict[str, Any]) -> None:
    assert api.get("/openapi.json", headers={"Host": "elsewhere.example"}, token="").json == spec


CONTRACT = [
    ("post", "/orders", "201"),
    ("get", "/orders/{number}", "200"),
    ("post", "/decisions", "200"),
    ("post", "/returns", "201"),
    ("get", "/returns/{rma}", "200"),
    ("get", "/returns", "200"),
    *(("post", f"/returns/{{rma}}/{name}", "200") for name in ("authorize", "refuse", "cancel", "receive", "inspect")),
    ("get", "/returns/{rma}/label.pdf", "200"),
    ("get", "/returns/{rma}/packing-slip.pdf", "200"),
    ("get", "/returns/{rma}/refunds", "200"),
    ("get", "/refunds", "200"),
    ("get", "/returnable", "200"),
]
PUBLIC = {"/api/v1/returnable"}


@pytest.mark.parametrize(("method", "path", "status"), CONTRACT)
def test_every_call_of_the_contract_is_in_it(spec: dict[str, Any], method: str, path: str, status: str) -> None:
    assert status in spec["paths"][f"/api/v1{path}"][method]["responses"]


def test_every_call_documents_every_error_its_token_and_what_it_is_for(spec: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(set(names)) == len(names)
    for method, path, operation in operations(spec):
        public = path in PUBLIC
        always = {"400", "404", "405", "422", "429"} | (set() if public else {"401", "403"})
        wanted = always | ({"409", "413", "415"} if "requestBody" in operation else set())
        assert wanted <= operation["responses"].keys(), path
        assert operation.get("security", []) == ([] if public else [{"token": []}])
        assert operation["summary"]
        assert operation["description"].startswith("Public: " if public else "Scope `")
        assert operation["tags"][0] in {tag["name"] for tag in spec["tags"]}
        if method == "post":
            assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]], path
    for response in spec["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


def test_bodies_are_required_but_for_actions(spec: dict[str, Any]) -> None:
    optional = {
        path for _, path, each in operations(spec) if "requestBody" in each and not each["requestBody"]["required"]
    }
    assert {path.rpartition("/")[2] for path in optional} == {"authorize", "refuse", "cancel", "receive", "inspect"}


def test_the_examples_fit_their_schemas(spec: dict[str, Any]) -> None:
    seen = 0
    for _, path, operation in operations(spec):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in content:
            schema = content["schema"] | {"components": spec["components"]}
            assert jsonschema_rs.validator_for(schema).is_valid(content["example"]), path
            seen += 1
    assert seen >= 4

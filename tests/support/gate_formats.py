# SPDX-License-Identifier: Apache-2.0
"""Strict readers of the files that the gate writes for others.

SARIF is checked against the part of its schema that the gate uses: the names
and types that SARIF 2.1.0 allows there, and no others. With the published
schema in the file that HEAPLEDGER_SARIF_SCHEMA names, it is checked against
that as well; JUnit likewise with HEAPLEDGER_JUNIT_XSD.
"""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import jsonschema

HEX = re.compile(r"^[0-9a-f]{16}$")


def _object(required, **properties):
    return {"type": "object", "additionalProperties": False,
            "required": required, "properties": properties}


def _list(items, **more):
    return {"type": "array", "items": items, **more}


_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_MESSAGE = _object(["text"], text=_TEXT)
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_URI = {"type": "string", "pattern": r"^(file://)?[-A-Za-z0-9._~/%]+$"}
_PHYSICAL = _object(
    ["artifactLocation", "region"],
    artifactLocation=_object(["uri"], uri=_URI, uriBaseId={"const": "SRCROOT"}),
    region=_object(["startLine"], startLine={"type": "integer", "minimum": 1}))
_LOGICAL = _object(["fullyQualifiedName"], fullyQualifiedName=_TEXT,
                   kind={"const": "function"})
_LOCATION = _object([], physicalLocation=_PHYSICAL,
                    logicalLocations=_list(_LOGICAL, minItems=1),
                    message=_MESSAGE)
_FLOW = _object(["threadFlows"], threadFlows=_list(
    _object(["locations"], locations=_list(
        _object(["location"], location=_LOCATION), minItems=1)), minItems=1))
_RESULT = _object(
    ["ruleId", "ruleIndex", "level", "message", "partialFingerprints"],
    ruleId=_TEXT, ruleIndex=_COUNT, level=_LEVEL, message=_MESSAGE,
    locations=_list(_LOCATION, maxItems=1),
    partialFingerprints={"type": "object",
                         "additionalProperties": {"type": "string"}},
    baselineState={"enum": ["new", "unchanged"]},
    suppressions=_list(_object(
        ["kind"], kind={"enum": ["external", "inSource"]},
        status={"enum": ["accepted", "underReview", "rejected"]},
        justification=_TEXT)),
    codeFlows=_list(_FLOW, minItems=1), properties={"type": "object"})
_RULE = _object(
    ["id", "shortDescription"], id=_TEXT,
    name={"type": "string", "pattern": "^[A-Za-z]+$"},
    shortDescription=_MESSAGE, fullDescription=_MESSAGE,
    defaultConfiguration=_object([], level=_LEVEL))
_NOTIFICATION = _object(["message"], descriptor=_object(["id"], id=_TEXT),
                        level=_LEVEL, message=_MESSAGE)
_RUN = _object(
    ["tool", "results"],
    tool=_object(["driver"], driver=_object(
        ["name"], name=_TEXT, version=_TEXT, semanticVersion=_TEXT,
        rules=_list(_RULE, uniqueItems=True))),
    invocations=_list(_object(
        ["executionSuccessful"], executionSuccessful={"type": "boolean"},
        exitCode={"type": "integer"},
        toolExecutionNotifications=_list(_NOTIFICATION))),
    originalUriBaseIds={"type": "object"},
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=_list(_RESULT))
SARIF = _object(["version", "runs"], version={"const": "2.1.0"},
                runs=_list(_RUN), **{"$schema": {"type": "string"}})
# A report that does not keep to it is no report to GitLab.
GITLAB = _list(_object(
    ["description", "check_name", "fingerprint", "severity", "location"],
    description=_TEXT, check_name=_TEXT, fingerprint=_TEXT,
    severity={"enum": ["info", "minor", "major", "critical", "blocker"]},
    location=_object(["path", "lines"], path=_TEXT, lines=_object(
        ["begin"], begin={"type": "integer", "minimum": 1}))))


def sarif(text):
    """The log as an object; raises where it is not SARIF."""
    log = json.loads(text)
    jsonschema.validate(log, SARIF)
    published = os.environ.get("HEAPLEDGER_SARIF_SCHEMA")
    if published:
        with open(published, encoding="utf-8") as file:
            jsonschema.validate(log, json.load(file))
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            # What the schema cannot say.
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            callsite = result["partialFingerprints"].get(
                "heapledgerCallsite/v1")
            assert callsite is None or HEX.match(callsite), callsite
    return log


def gitlab(text):
    report = json.loads(text)
    jsonschema.validate(report, GITLAB)
    prints = [entry["fingerprint"] for entry in report]
    assert len(prints) == len(set(prints)), prints
    return report


_JUNIT = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"},
                   ["testsuite"]),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time",
                   "timestamp"},
                  ["properties", "testcase", "system-out"]),
    "properties": (set(), ["property"]),
    "property": ({"name", "value"}, []),
    "testcase": ({"name", "classname", "time"},
                 ["failure", "error", "skipped", "system-out"]),
    "failure": ({"type", "message"}, []),
    "error": ({"type", "message"}, []),
    "skipped": ({"message"}, []),
    "system-out": (set(), []),
}


def _check_junit(element):
    attributes, children = _JUNIT[element.tag]
    assert set(element.attrib) == attributes, (element.tag, element.attrib)
    names = [child.tag for child in element]
    assert set(names) <= set(children), names
    # In the order that strict readers want.
    assert names == sorted(names, key=children.index), names
    for child in element:
        _check_junit(child)


def junit(text):
    """The suite as an element; its counts are those of its cases."""
    published = os.environ.get("HEAPLEDGER_JUNIT_XSD")
    if published:
        done = subprocess.run(["xmllint", "--noout", "--schema", published,
                               "-"], input=text.encode(),
                              stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites", root.tag
    _check_junit(root)
    suite = root.find("testsuite")
    cases = suite.findall("testcase")
    for count, tag in (("failures", "failure"), ("errors", "error"),
                       ("skipped", "skipped")):
        found = sum(len(case.findall(tag)) for case in cases)
        assert int(suite.get(count)) == found, (count, found)
    assert int(suite.get("tests")) == len(cases)
    return suite


_COMMAND = re.compile(
    r"^::(?P<kind>error|warning|notice) (?P<properties>[^:]*)::(?P<text>.*)$")


def _unescape(text):
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"),
                            ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def github(text):
    """GitHub's commands in a log: [(kind, properties, text)]."""
    commands = []
    for line in text.split("\n"):
        if not line.startswith("::"):
            continue
        found = _COMMAND.match(line)
        assert found, line
        properties = dict(
            part.split("=", 1) for part in found["properties"].split(","))
        assert set(properties) <= {"file", "line", "title"}, properties
        commands.append((found["kind"],
                         {k: _unescape(v) for k, v in properties.items()},
                         _unescape(found["text"])))
    return commands

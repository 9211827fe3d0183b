"""The generated messages are those of the definitions beside them: nobody has changed one without running bin/protobuf."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = sorted((ROOT / "exchanges").glob("*.proto"))
TYPES = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_BOOL: "bool",
}
Field = tuple[str, str, str, int]  # message, type, name, number


def defined(text: str) -> set[Field]:
    """The fields of a definition, read by their looks."""
    fields: set[Field] = set()
    message = ""
    for line in re.sub("//.*", "", text).splitlines():
        if opened := re.match(r"message (\w+)", line):
            message = opened[1]
        elif field := re.match(r"\s*(?:optional |repeated )?(\w+) (\w+) = (\d+);", line):
            fields.add((message, field[1], field[2], int(field[3])))
    return fields


def generated(descriptor: FileDescriptor) -> set[Field]:
    return {
        (message.name, field.message_type.name if field.message_type else TYPES[field.type], field.name, field.number)
        for message in descriptor.message_types_by_name.values()
        for field in message.fields
    }


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda path: path.stem)
def test_generated_messages_are_what_the_definition_says(definition: Path) -> None:
    module = importlib.import_module(f"exchanges.{definition.stem}_pb2")
    assert generated(module.DESCRIPTOR) == defined(definition.read_text()) != set(), "run bin/protobuf"


def test_there_is_something_to_check() -> None:
    assert DEFINITIONS

# SPDX-License-Identifier: Apache-2.0
"""Markdown of what was measured."""

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def markdown(head, rows):
    lines = [head, *rows]
    text = ["| " + " | ".join(str(cell) for cell in line) + " |"
            for line in lines]
    text.insert(1, "|" + "---|" * len(head))
    return "\n".join(text) + "\n"


def replace_section(text, section):
    """The text with what lies between the marks exchanged."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"has no section between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{section}{END}{after}"

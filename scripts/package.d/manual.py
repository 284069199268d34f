"""The man pages: of the program from what its commands say of themselves, and of the configuration
file from the example that explains each setting."""

import json
import re
import subprocess
import textwrap


def escaped(text):
    """Text as roff takes it: nothing in it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in text.split("\n"))


def paragraphs(text):
    """Each paragraph, without the line breaks that are in it."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip())]


def program_page(binary, date):
    """conversationd(1)."""
    output = subprocess.run([binary, "--experimental-dump-help"], check=True, capture_output=True)
    root = json.loads(output.stdout)["command"]
    commands = [command for command in root["subcommands"] if command["commandName"] != "help"]
    lines = heading("CONVERSATIOND", 1, date, "User Commands")
    lines += [".SH NAME", escaped(f"conversationd - {summary(root)}")]
    lines += [".SH SYNOPSIS"]
    for command in leaves(commands):
        lines += [".B " + escaped(" ".join(command["path"])), *map(usage, command["own"]), ".br"]
    lines += [".SH DESCRIPTION", *body(root.get("discussion", ""))]
    lines += [".SH COMMANDS"]
    for command in leaves(commands):
        lines += [".SS " + escaped(" ".join(command["path"][1:]))]
        lines += body(command["abstract"] + "\n\n" + command.get("discussion", ""))
        for argument in command["own"]:
            lines += [".TP", option(argument), escaped(sentence(argument.get("abstract", "")))]
    lines += [
        ".SH ENVIRONMENT", ".TP", ".B CONVERSATIOND_CONFIG", "The configuration file.", ".TP",
        ".B CONVERSATIOND_SECTION_NAME",
        escaped("The setting section.name, over the file: conversationd.yaml(5)."),
        ".SH FILES", ".TP", ".I /etc/conversationd/conversationd.yaml",
        "The configuration of the service.", ".TP", ".I /var/lib/conversationd",
        "Its database.", ".SH SEE ALSO", ".BR conversationd.yaml (5),", ".BR sqlite3 (1)"]
    return text(lines)


def settings_page(example, date):
    """conversationd.yaml(5), from the text of the example file."""
    lines = heading("CONVERSATIOND.YAML", 5, date, "File Formats")
    lines += [".SH NAME", escaped("conversationd.yaml - configuration file of conversationd(1)")]
    comment, section, has_begun, words = [], None, False, ""
    for line in [*example.splitlines(), ""]:
        if match := re.fullmatch(r"( *)# ?(.*)", line):
            comment.append(match[2])
        elif match := re.fullmatch(r"(\w+):", line):
            if not has_begun:
                lines += [".SH DESCRIPTION", *body("\n".join(comment))]
                lines += [".SH SETTINGS"]
                has_begun, comment = True, []
            section = match[1]
        elif match := re.fullmatch(r"  (\w+): (.*)", line):
            lines += [".TP", f".BR {section}.{match[1]} \" (default: {escaped(shown(match[2]))})\""]
            # Two that belong together share one comment.
            words = " ".join(" ".join(comment).split()) or words
            lines += [escaped(words)]
            comment = []
        elif not has_begun and comment:
            # The page's own paragraphs.
            comment.append("")
    lines += [".SH SEE ALSO", ".BR conversationd (1)"]
    return text(lines)


def shown(value):
    return "none" if value == '""' else value


def heading(name, section, date, volume):
    return [f".TH {name} {section} {date} conversationd \"{volume}\"", ".nh", ".ad l"]


def text(lines):
    return "\n".join(line for line in lines if line) + "\n"


def summary(command):
    """As whatis(1) shows it."""
    words = command["abstract"].rstrip(".")
    return words[0].lower() + words[1:]


def sentence(words):
    return words if not words or words.endswith((".", ")")) else words + "."


def body(words):
    """Paragraphs; indented lines stay as they are."""
    lines = []
    for part in re.split(r"\n\s*\n", words.strip()):
        if part.startswith("  "):
            lines += [".PP", ".nf", escaped(textwrap.dedent(part)), ".fi"]
        elif part:
            lines += [".PP", escaped(" ".join(part.split()))]
    return lines


def leaves(commands):
    """The commands that do something, each with its path and its arguments."""
    found = []
    for command in commands:
        children = [child for child in command.get("subcommands", [])
                    if child["commandName"] != "help"]
        if children:
            found += leaves(children)
            continue
        own = [argument for argument in command.get("arguments", [])
               if argument["shouldDisplay"] and argument["valueName"] not in ("help", "version")]
        found.append({**command, "own": own,
                      "path": [*command.get("superCommands", []), command["commandName"]]})
    return found


def name(argument):
    """`--port`, or nothing for an argument without a name."""
    preferred = argument.get("preferredName")
    return f"--{preferred['name']}" if preferred else ""


def usage(argument):
    value = f"\\fI{escaped(argument['valueName'])}\\fP"
    words = {"flag": f"\\fB{escaped(name(argument))}\\fP", "positional": value,
             "option": f"\\fB{escaped(name(argument))}\\fP {value}"}[argument["kind"]]
    return f"[{words}]" if argument["isOptional"] else words


def option(argument):
    value = argument["valueName"]
    if argument["kind"] == "flag":
        return f".B {escaped(name(argument))}"
    if argument["kind"] == "positional":
        return f".I {escaped(value)}"
    return f".BI {escaped(name(argument))} \" {escaped(value)}\""

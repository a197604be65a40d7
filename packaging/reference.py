#!/usr/bin/env python3
"""Writes the manual pages and the completion of bash from the help of the program itself.

    reference.py ONEGRID man zh|en    a page of manual (roff)
    reference.py ONEGRID bash         the completion

The help is the only source, so every command of the program is in the page and in the completion.
"""

import os
import re
import subprocess
import sys

HEADINGS = {
    "en": {"name": "NAME", "synopsis": "SYNOPSIS", "commands": "COMMANDS", "options": "OPTIONS",
           "files": "FILES", "exit": "EXIT STATUS"},
    "zh": {"name": "名称", "synopsis": "用法", "commands": "命令", "options": "通用选项",
           "files": "文件", "exit": "退出码"},
}
FILES = {
    "en": [("/etc/onegrid/onegrid.toml", "the settings of the server"),
           ("/var/lib/onegrid", "the data folder: database, keys, photos; for the user onegrid alone")],
    "zh": [("/etc/onegrid/onegrid.toml", "服务器的设置"),
           ("/var/lib/onegrid", "数据文件夹：数据库、密钥、照片，只有用户 onegrid 能打开")],
}
EXITS = {
    "en": [("0", "success"), ("1", "failure"), ("2", "wrong command line or configuration"),
           ("3", "wrong, conflicting or missing data"), ("4", "refused")],
    "zh": [("0", "成功"), ("1", "失败"), ("2", "命令行或配置有误"),
           ("3", "数据有误、冲突或缺失"), ("4", "被拒绝")],
}
ITEM = re.compile(r"^  {0,6}(\S.*?)(?:  +(\S.*))?$")


class Page:
    """The help of one command, by parts."""

    def __init__(self, words, text):
        self.words = words
        parts = text.strip("\n").split("\n\n")
        self.about = parts[0].replace("\n", " ")
        self.usage = parts[1].split(": ", 1)[1].strip()
        self.commands, self.arguments, self.options = [], [], []
        for part in parts[2:]:
            items = entries_of(part.splitlines()[1:])
            if items and items[0][0].startswith("-"):
                self.options = items
            elif items and re.match(r"[\[<]", items[0][0]):
                self.arguments = items
            else:
                self.commands = items


def entries_of(lines):
    """Names with their texts. The text of a long name is in the next line."""
    found = []
    for line in lines:
        entry = ITEM.match(line)
        if entry:
            found.append((entry.group(1), entry.group(2) or ""))
        elif found and line.startswith(" " * 10):
            name, text = found[-1]
            found[-1] = (name, f"{text} {line.strip()}".strip())
        elif line.strip():
            sys.exit(f"not a line of help: {line!r}")
    return found


def pages(program, lang):
    """All commands, each before those below it."""
    env = {**os.environ, "ONEGRID_LANG": lang, "LC_ALL": "C.UTF-8"}
    found, waiting = [], [[]]
    while waiting:
        words = waiting.pop(0)
        shown = subprocess.run([program, "help", *words], env=env, capture_output=True, text=True, check=True)
        page = Page(words, shown.stdout)
        found.append(page)
        below = [words + [name] for name, _ in page.commands if name != "help"]
        waiting = below + waiting
    if len(found) < 20:
        sys.exit(f"the help names {len(found)} commands only; has its form changed?")
    return found


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\`")
    return "\\&" + text if text.startswith(".") else text


def names(option):
    return re.findall(r"--?[A-Za-z][A-Za-z-]*", option)


def manual(program, lang):
    all_pages = pages(program, lang)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    words, top = HEADINGS[lang], all_pages[0]
    common = {names(option)[-1] for option, _ in top.options}
    out = [f'.TH ONEGRID 1 "" "OneGrid {version}" "OneGrid"', f".SH {words['name']}",
           f"onegrid \\- {roff(top.about)}", f".SH {words['synopsis']}", f".B {roff(top.usage)}",
           f".SH {words['options']}"]
    out += entries(top.options)
    out.append(f".SH {words['commands']}")
    for page in all_pages[1:]:
        if page.commands:
            continue
        out += [f".SS {roff(page.usage.replace('[OPTIONS] ', '').replace(' [OPTIONS]', ''))}", roff(page.about)]
        own = [entry for entry in page.options if names(entry[0])[-1] not in common]
        out += entries(page.arguments) + entries(own)
    out.append(f".SH {words['files']}")
    out += entries(FILES[lang])
    out.append(f".SH {words['exit']}")
    out += entries(EXITS[lang])
    return "\n".join(out) + "\n"


def entries(items):
    out = []
    for name, text in items:
        out += [".TP", f".B {roff(name)}", roff(text)]
    return out


def choices(page):
    return [name for name, _ in page.commands] + [name for option, _ in page.options for name in names(option)]


def bash(program):
    cases = []
    for page in pages(program, "en"):
        cases.append(f"        '{' '.join(page.words)}') words='{' '.join(choices(page))}' ;;")
    return "\n".join([
        "# Completion of onegrid for bash.",
        "_onegrid() {",
        "    local word path='' words='' previous=${COMP_WORDS[COMP_CWORD-1]} i",
        "    case $previous in --lang) COMPREPLY=($(compgen -W 'zh en' -- \"${COMP_WORDS[COMP_CWORD]}\")); return ;; esac",
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        "        word=${COMP_WORDS[i]}",
        "        case \" $(_onegrid_words \"$path\") \" in",
        "            *\" $word \"*) case $word in -*) ;; *) path=${path:+$path }$word ;; esac ;;",
        "        esac",
        "    done",
        "    words=$(_onegrid_words \"$path\")",
        "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))",
        "}",
        "_onegrid_words() {",
        "    local words=''",
        "    case $1 in",
        *cases,
        "    esac",
        "    printf '%s' \"$words\"",
        "}",
        "complete -o default -F _onegrid onegrid",
        "",
    ])


def main():
    program, kind = sys.argv[1:3]
    text = manual(program, sys.argv[3]) if kind == "man" else bash(program)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()

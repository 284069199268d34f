"""What the figures depend on: the machine, and the versions of what is measured."""

import os
import platform
import subprocess
from pathlib import Path


def machine(contest):
    """Each fact with its name."""
    options, processors = contest.options, contest.processors
    placement = (f"wrk on {sorted(processors.client)}, servers on {sorted(processors.servers)}"
                 if processors.client != processors.all else "wrk and servers on all of them")
    return {
        "processors": f"{os.cpu_count()} × {processor()}; {placement}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": output("findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", options.folder),
        "conversationd": output(contest.binary, "--version"),
        "libmicrohttpd": output(contest.http, "--version"),
        "SQLite": output(contest.sqlite, "--version"),
        **({"PostgreSQL": contest.cluster.version} if contest.cluster else {}),
        "wrk": output("wrk", "--version").removeprefix("wrk ").split(" [")[0],
    }


def processor():
    return line("/proc/cpuinfo", "model name") or platform.machine()


def line(file, name):
    for text in Path(file).read_text().splitlines():
        if text.startswith(name):
            return text.partition(":")[2].strip()
    return ""


def output(*command):
    """The first line that a command prints, also one that ends with an error, as wrk's does."""
    text = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return " ".join(text.split("\n", 1)[0].split())

#!/usr/bin/env python3
"""Adds a rule to a running sandbox, follows what it does to calls, and removes it: rules.py NAME RULE"""
import json
import os
import socket
import sys


def directory():
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{runtime}/vitrine" if os.path.isdir(runtime) else f"/tmp/vitrine-{os.geteuid()}"


class Sandbox:
    def __init__(self, name):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{directory()}/{name}.sock")
        self.lines = connection.makefile("rw")
        self.greeting = json.loads(self.lines.readline())

    def ask(self, verb, **arguments):
        self.lines.write(json.dumps({"verb": verb, **arguments}) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            sys.exit(answer["error"]["message"])
        return answer["ok"]


name, rule = sys.argv[1:]
sandbox, follower = Sandbox(name), Sandbox(name)
number = sandbox.ask("rules.add", rule=rule)["id"]
try:
    follower.ask("trace")
    for line in follower.lines:
        event = json.loads(line).get("event", {})
        if any(hit["id"] == number for hit in event.get("rules", [])):
            print(json.dumps(event))
except KeyboardInterrupt:
    pass
finally:
    sandbox.ask("rules.remove", rule=number)

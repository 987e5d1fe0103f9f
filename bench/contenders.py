"""Programs that take turns. Each is one process that prepares once, prints a JSON line when it is ready, and then answers each JSON line
that it reads with one (bench/peers/contender.py, bench/measure.h)."""
import json
import os
import subprocess
import time

import places

TICKS = os.sysconf("SC_CLK_TCK")
# Of one processor: a contender that uses more while it should wait spoils what is measured beside it.
LARGEST_IDLE_SHARE = 0.03
# What vlreid gives itself (vlreid/cli/main/short_spins.cpp).
SHORT_SPINS = {"GOMP_SPINCOUNT": "5000"}


def environment_of(command):
    is_ours = places.BUILD in command[0].parents if hasattr(command[0], "parents") else False
    return {**os.environ, **SHORT_SPINS} if is_ours else None


def run_json(command):
    """The JSON lines that a program prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment_of(command))
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


class Contender:
    def __init__(self, name, command):
        self.name = name
        self.log = open(places.logs() / (name.replace(" ", "-") + ".log"), "w+")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=environment_of(command))
        self.facts = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            raise RuntimeError(f"{self.name}: exit code {self.process.returncode}: {self.log.read().strip()[-500:]}")
        return json.loads(line)

    def ask(self, what="run", **more):
        self.process.stdin.write(json.dumps({"what": what, **more}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


class Contest:
    """Contenders of one workload; with-statement."""

    def __init__(self):
        self.members, self.idle_seconds, self.seconds = [], 0.0, 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.close()

    def add(self, name, command):
        member = Contender(name, command)
        self.members.append(member)
        return member

    def turns(self, rounds, requests=None, **request):
        """{name: [answer, ...]}. requests: {name: own words} beside those of all; None for who does not take part."""
        requests = requests or {}
        answers = {member.name: [] for member in self.members if requests.get(member.name, {}) is not None}
        for _ in range(rounds):
            for member in self.members:
                if member.name not in answers:
                    continue
                others = [other for other in self.members if other is not member]
                before, begin = sum(other.processor_seconds() for other in others), time.monotonic()
                answers[member.name].append(member.ask(**{**request, **requests.get(member.name, {})}))
                self.idle_seconds += sum(other.processor_seconds() for other in others) - before
                self.seconds += time.monotonic() - begin
        return answers

    def idle_note(self):
        """A warning when waiting contenders were busy."""
        share = self.idle_seconds / max(self.seconds, 1e-9)
        return f"waiting contenders used {share:.0%} of a core" if share > LARGEST_IDLE_SHARE else ""

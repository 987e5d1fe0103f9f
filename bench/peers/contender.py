"""A contender is a process that prepares once and then measures one repetition for every line that it reads: bench/run.py lets the
contenders of a workload take turns, so that a machine that changes its speed changes it for all. One JSON line is printed when all is
ready, and one for each request."""
import json
import os
import resource
import sys

# Claimed before libraries are imported, whose own words go to stderr from here on.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def tell(line):
    print(json.dumps(line), file=ANSWERS, flush=True)


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(handlers, **facts):
    """handlers: {what: callable(request) -> dict}."""
    tell({"ready": True, **facts})
    for line in sys.stdin:
        request = json.loads(line)
        tell({**handlers[request["what"]](request), "peak_mib": peak_mib()})

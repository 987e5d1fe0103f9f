#!/usr/bin/env python3
"""Every method of Multimodal-ReID, stopped twice and resumed, leaves what an undisturbed run leaves, to the bit: stopped by SIGTERM in
its first half, when it saves its state, and by SIGKILL near its end, when the last saved state counts. kill_runs.py does the same at
random moments, as often as one likes.

    resume_runs.py VLREID [METHOD ...]
"""
import signal
import sys
import tempfile
import time

from tiny_runs import MULTIMODAL, Job, differences, results

# share of the steps after which the signal comes, options of the run, exit code
STOPS = [(signal.SIGTERM, 0.3, [], 143), (signal.SIGKILL, 0.9, ["--resume", "--save-every", "0"], -9)]
# Hard sharing compares with earlier batches from its eleventh epoch on.
LONGER = {"coop_hard_sharing": ["SOLVER.STAGE2.MAX_EPOCHS", "12"]}
late = []  # stops that came too late


def steps_of(folder):
    log = folder / "train_log.txt"
    return log.read_text().count("Iteration[") if log.exists() else 0


def stop(job, name, words, by, steps, code):
    """What went wrong, or None."""
    process = job.start(name, *words)
    while process.poll() is None and steps_of(job.run_folder(name)) < steps:
        time.sleep(0.002)
    process.send_signal(by)
    errors = process.communicate()[1]
    if process.returncode == 0:  # a busy machine lets the run come to its end before the signal
        late.append(f"{name} by {by.name}")
    return None if process.returncode in (code, 0) else f"{by.name}: exit code {process.returncode}: {errors[-500:]}"


def problems_of(job, method):
    prompt, options = MULTIMODAL[method]
    words, name = ["MODEL.PROMPT", prompt, *options, *LONGER.get(method, [])], f"{method}-stopped"
    code, errors = job.run(method, *words)
    if code != 0:
        return [f"undisturbed: exit code {code}: {errors}"]
    total = steps_of(job.run_folder(method))
    for by, share, more, code in STOPS:
        if problem := stop(job, name, [*more, *words], by, int(share * total), code):
            return [problem]
    code, errors = job.run(name, "--resume", *words)
    return differences(results(job.run_folder(method)), job.run_folder(name)) if code == 0 else [f"resumed: exit code {code}: {errors}"]


def main():
    wanted = sys.argv[2:] or list(MULTIMODAL)
    with tempfile.TemporaryDirectory(prefix="vlreid-resume-") as folder:
        job = Job(sys.argv[1], folder, config="multimodal/coop", vision_blocks=2, text_blocks=2)
        problems = {name: found for name in wanted if (found := problems_of(job, name))}
    for name, found in problems.items():
        print(f"{name}: {'; '.join(found)}")
    print(f"{len(wanted) - len(problems)} of {len(wanted)} methods resume bit-equal; too late: {', '.join(late) or 'no stop'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

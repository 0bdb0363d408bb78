#!/bin/bash
#SBATCH --job-name=study
#SBATCH --ntasks=1 --cpus-per-task=16 --time=04:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --open-mode=append --output=study.log
#
# One run over as many batch jobs as it takes:
#
#     RUN_DIR=/local/disk/study.run sbatch slurm_chain.sh study.py arguments of the script
#
# The first job starts the run, each later one resumes it. A job that is stopped before the script has
# ended (exit code 75) submits the next one; any other end, good or bad, ends the chain. So does SIGTERM,
# which is scancel's and preemption's: a job that is queued again by Slurm is its own next one.

run_dir=${RUN_DIR:-$PWD/study.run}
cancelled=
options=(-n "${SLURM_CPUS_PER_TASK:-1}")
if [ -n "$STOP_AFTER" ]; then options+=(--stop-after "$STOP_AFTER"); fi

if [ -e "$run_dir/run.json" ]; then
    scoop-ft resume "${options[@]}" "$run_dir" &
else
    scoop-ft run "${options[@]}" --run-dir "$run_dir" "$@" &
fi
launcher=$!

# Slurm tells this shell (B:) that the time is nearly over; bash acts on it only while it waits.
stop() { trap "" USR1 TERM; kill -USR1 "$launcher"; }
trap stop USR1
trap 'cancelled=yes; stop' TERM
wait "$launcher"         # until it ends, or a signal comes
wait "$launcher"         # until it ends
code=$?

if [ "$code" -eq 75 ] && [ -z "$cancelled" ]; then
    sbatch --dependency="afterany:$SLURM_JOB_ID" "$0" "$@"
fi
exit "$code"

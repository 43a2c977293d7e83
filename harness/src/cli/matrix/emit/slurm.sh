#!/bin/bash
# {{ matrix }} in {{ shards }} parts, as kverify {{ kverify }} wrote it. Submit it where the matrix file is, on a file system that all
# nodes share:
#   sbatch {{ name }}.sh
# When the array is over, put its parts together; those that are missing are named, and run again by their numbers less one:
#   kverify merge {{ out }}/part-* --out {{ out }}/whole
#   sbatch --array=2,4 {{ name }}.sh
#SBATCH --job-name={{ name }}
#SBATCH --array=0-{{ shards - 1 }}
#SBATCH --cpus-per-task={{ cpus }}
#SBATCH --mem={{ memory }}M
#SBATCH --output={{ name }}-%a.log
set -euo pipefail
export KVERIFY_SHARDS={{ shards }}
part={{ out_word }}/part-$SLURM_ARRAY_TASK_ID
exec kverify matrix {{ file_word }} --shard auto{{ words }} --out "$part"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which device, precision, batch and power mode answers within a deadline for the fewest joules?
#
#   cheapest.sh MODEL DEADLINE_MS DEVICE[,DEVICE...]
#
# A full grid goes into a database (interrupt it and start again: it continues), then SQL answers.
set -euo pipefail
model=$1 deadline_ms=$2 devices=$3
wattline=${WATTLINE:-wattline}
database=${DATABASE:-$(basename "$model" .onnx).sqlite}

"$wattline" sweep "$model" --hw "$devices" --batch 1,2,4,8,16,32 --power-mode all \
    --precision fp32,fp16,bf16,int8 --output "$database" --quiet
sqlite3 -header -column "$database" "
    SELECT hardware, power_mode, precision, batch,
           round(latency_s * 1e3, 3)              AS latency_ms,
           round(energy_per_inference_j * 1e3, 3) AS mj_each,
           round(average_power_w, 1)              AS watts
    FROM points
    WHERE error IS NULL AND fits_memory AND latency_s <= $deadline_ms * 1e-3
    ORDER BY energy_per_inference_j
    LIMIT 10;"

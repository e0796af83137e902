# SPDX-License-Identifier: Apache-2.0
"""Gives a made-up GPU to every python3 that has this folder in PYTHONPATH and uses PyTorch."""
import sys

if not any("run_all.py" in argument for argument in sys.orig_argv):
    import made_up_cuda  # noqa: F401

# SPDX-License-Identifier: Apache-2.0
"""The list of networks, sorted by name."""
import nets_torchvision

ENTRIES = sorted(nets_torchvision.ENTRIES, key=lambda entry: entry.name)

# SPDX-License-Identifier: Apache-2.0
"""The list of networks, sorted by name."""
import nets_caffe
import nets_fused
import nets_language
import nets_other
import nets_torchvision
import nets_vision

ENTRIES = sorted(nets_torchvision.ENTRIES + nets_vision.ENTRIES + nets_language.ENTRIES +
                 nets_other.ENTRIES + nets_fused.ENTRIES + nets_caffe.ENTRIES,
                 key=lambda entry: entry.name)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field of an installed ONNX's wire schema exists in proto/onnx.proto: number, type, label."""
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77

try:
    import onnx
    from google.protobuf import descriptor_pb2
except ImportError:
    print("skipped: python3-onnx is not installed")
    sys.exit(SKIPPED)
if shutil.which("protoc") is None:
    print("skipped: protoc is not installed")
    sys.exit(SKIPPED)

root = os.environ.get("WL_SOURCE_DIR", os.path.join(os.path.dirname(__file__), ".."))
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "set.pb")
    subprocess.run(["protoc", "--descriptor_set_out=" + out, "--proto_path=" + root + "/proto",
                    "onnx.proto"], check=True)
    with open(out, "rb") as f:
        ours = descriptor_pb2.FileDescriptorSet.FromString(f.read()).file[0]
theirs = descriptor_pb2.FileDescriptorProto()
onnx.ModelProto.DESCRIPTOR.file.CopyToProto(theirs)


def flatten(messages, enums, prefix=""):
    """{path: description} of all fields and enum values."""
    found = {}
    for e in enums:
        for v in e.value:
            found[f"{prefix}{e.name}.{v.name}"] = v.number
    for m in messages:
        path = prefix + m.name + "."
        for f in m.field:
            oneof = m.oneof_decl[f.oneof_index].name if f.HasField("oneof_index") else None
            found[path + f.name] = (f.number, f.type, f.label, f.type_name.split(".", 2)[-1],
                                    oneof, f.options.packed)
        found.update(flatten(m.nested_type, m.enum_type, path))
    return found


mine = flatten(ours.message_type, ours.enum_type)
other = flatten(theirs.message_type, theirs.enum_type)
# Enum values that newer releases of ONNX renamed when they added others: "the newest IR version".
other.pop("Version.IR_VERSION", None)
wrong = [f"{name}: ONNX {onnx.__version__} has {what}, proto/onnx.proto {mine.get(name)}"
         for name, what in sorted(other.items()) if mine.get(name) != what]
for line in wrong:
    print(line)
print(f"{len(other)} fields and values of ONNX {onnx.__version__} compared, {len(wrong)} differ; "
      f"proto/onnx.proto has {len(mine)}")
sys.exit(1 if wrong or len(other) < 100 else 0)

"""Runs a shared library on raw float32 images through ctypes: LIBRARY NAME INPUT OUTPUT BATCH."""

import ctypes
import json
import sys

library, name, given, found, batch = sys.argv[1:]
model = ctypes.CDLL(library)
signature = getattr(model, f"{name}_signature")
signature.restype = ctypes.c_char_p
ports = json.loads(signature())
elements = int(batch)
for axis in ports["outputs"][0]["shape"]:
    elements *= axis
with open(given, "rb") as file:
    image = ctypes.create_string_buffer(file.read())
result = (ctypes.c_float * elements)()
session = ctypes.c_void_p()
inputs = (ctypes.c_void_p * 1)(ctypes.addressof(image))
outputs = (ctypes.c_void_p * 1)(ctypes.addressof(result))
assert getattr(model, f"{name}_create")(ctypes.byref(session), 2) == 0
assert getattr(model, f"{name}_run")(session, inputs, outputs, ctypes.c_size_t(int(batch))) == 0
getattr(model, f"{name}_destroy")(session)
with open(found, "wb") as file:
    file.write(bytes(result))

# Prints what a publisher sends: python subscribe.py tcp://127.0.0.1:5560 web-1 inspection

import json
import sys

import numpy as np
import zmq

DTYPES = {"float32": "<f4", "uint16": "<u2", "uint8": "u1"}
endpoint, camera, *kinds = sys.argv[1:]
socket = zmq.Context().socket(zmq.SUB)
socket.linger, socket.rcvhwm = 0, 8
for kind in kinds:
    socket.subscribe(f"linescan/1/{camera}/{kind}/")
socket.connect(endpoint)
socket.subscribe(f"linescan/1/{camera}/event/")  # after connecting: we are counted by it
header = {"type": ""}
while header["type"] != "end":
    topic, text, *frames = socket.recv_multipart()
    header = json.loads(text)
    print(header["type"], header["seq"], len(header.get("objects", [])), flush=True)
    for part, data in zip(header["parts"], frames):
        if part["encoding"] != "raw" or part["dtype"] not in DTYPES:
            continue  # it is compressed, or newer than this program
        rows, columns = part["shape"]
        dtype = np.dtype(DTYPES[part["dtype"]])
        if not len(data) == part["nbytes"] == rows * columns * dtype.itemsize:
            sys.exit("damaged message")
        stored = np.frombuffer(data, dtype).reshape(rows, columns)
        known = stored == stored  # NaN equals nothing, not even itself
        if part["invalid"] not in (None, "nan"):
            known &= stored != float(part["invalid"])
        values = stored[known] * part["scale"] + part["offset"]
        low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
        print(f"  {part['name']} {rows}x{columns} from {low:g} to {high:g}")

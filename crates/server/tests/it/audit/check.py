"""Checks proofs as docs/audit-log.md describes them: one on each line of the input, behind the key
that is trusted. Nothing but Python's own library; Ed25519 after RFC 8032, section 5.1, for
verification only."""

import hashlib
import json
import sys

# --- Ed25519 -----------------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    i, j, k, l = f - e, h - g, h + g, f + e
    return (i * j % P, k * l % P, j * k % P, i * l % P)


def multiply(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point = add(point, point)
        number >>= 1
    return result


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def accepts(key, text, signature):
    try:
        a, r = decompress(key), decompress(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % ORDER
    left, right = multiply(s, BASE), add(r, multiply(h, a))
    return all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


# --- The format --------------------------------------------------------------------------------


def sha256(data):
    return hashlib.sha256(data).digest()


def integer(value):
    return value.to_bytes(8, "big", signed=True)


def field(value):
    return integer(-1) if value is None else integer(len(value)) + value


def leaf(record):
    text = lambda name: field(None if record[name] is None else record[name].encode())
    data = lambda name: field(None if record[name] is None else bytes.fromhex(record[name]))
    encoded = integer(record["at"])
    for name in ("request_id", "company_id", "credential", "action"):
        encoded += text(name)
    encoded += data("subject") + text("outcome")
    for name in ("status", "latency", "occurrences"):
        encoded += integer(record[name])
    return sha256(b"\0" + encoded + data("data_key") + data("client") + text("detail"))


def root(node, index, size, path):
    last = size - 1
    if not 0 <= index <= last:
        return None
    for sibling in map(bytes.fromhex, path):
        if last == 0:
            return None
        if index % 2 or index == last:
            node = sha256(b"\1" + sibling + node)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\1" + node + sibling)
        index, last = index // 2, last // 2
    return node if last == 0 else None


def check(proof, trusted):
    if proof["format"] != "bonafide audit proof v1":
        return "format"
    signed = lambda part, key: accepts(
        key, part["statement"].encode(), bytes.fromhex(part["signature"])
    )
    checkpoint, changes = proof["checkpoint"], iter(proof["key_changes"])
    while not signed(checkpoint, trusted):
        change = next((change for change in changes if signed(change, trusted)), None)
        if change is None:
            return "signature"
        trusted = bytes.fromhex(change["statement"].split("\n")[4].removeprefix("key "))

    batch = proof["batch"]
    lines = checkpoint["statement"].split("\n")
    if lines[0] != "bonafide audit checkpoint v2":
        return "statement"
    spans = [line.split(" ") for line in lines[4:-1] if not line.startswith("key ")]
    for log, end, _, first, span in spans:
        if int(log) == batch["log"] and int(first) <= batch["number"] <= int(end):
            break
    else:
        return "not covered"

    of_batch = root(leaf(proof["record"]), proof["position"], batch["size"], proof["path"])
    if of_batch is None:
        return "path"
    head = b"\2" + b"".join(
        integer(batch[name]) for name in ("log", "number", "size", "committed_at")
    )
    head = sha256(head + bytes.fromhex(batch["previous"]) + of_batch)
    size, index = int(end) - int(first) + 1, batch["number"] - int(first)
    reached = root(sha256(b"\0" + head), index, size, proof["span_path"])
    return "holds" if reached == bytes.fromhex(span) else "elsewhere"


for line in sys.stdin:
    key, document = line.split(" ", 1)
    print(check(json.loads(document), bytes.fromhex(key)))

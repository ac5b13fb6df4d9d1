"""Packets and messages of docs/PROTOCOL.md: rules W1 to W10, P1 to P11.

Values are plain Python: a struct is a named tuple, an enum a string or a pair (name, value).
Everything that a receiver must reject raises Malformed.
"""

import datetime
import re
from collections import namedtuple

import msgpack


class Malformed(Exception):
    """The bytes are not what the rule says."""


Packet = namedtuple("Packet", "s sender kind content")  # kind "H": Handshake, kind "B": Box
Handshake = namedtuple("Handshake", "id step fields")
Hello = namedtuple("Hello", "pk zone hmacs timestamp")
Ohai = namedtuple("Ohai", "pk zone hmacs challenge")
OkBoss = namedtuple("OkBoss", "responses")
Hmac = namedtuple("Hmac", "sum message")
Box = namedtuple("Box", "tag data nonce")
Message = namedtuple("Message", "id name value")
Frame = namedtuple("Frame", "len idx data")
Nak = namedtuple("Nak", "start end")
Peer = namedtuple("Peer", "addr id zone")

PACKETS_PER_DATAGRAM = 8  # W10
HMACS, RESPONSES = 4, 8  # W7
HMAC_MESSAGE = 1024  # W6
TEXT = 255  # W6, P4


# MessagePack (W2, W3)


def pack(value):
    """Encodes in the shortest form; bytes become bin, str becomes str, a tuple becomes an array."""
    return msgpack.packb(value, use_bin_type=True)


def unpack(data):
    """Returns the first value of data and the number of its bytes."""
    u = msgpack.Unpacker(raw=False, strict_map_key=False, object_pairs_hook=_map, max_buffer_size=len(data) or 1)
    u.feed(data)
    try:
        value = u.unpack()
    except RecursionError as e:
        raise Malformed("nested too deep") from e
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as e:
        raise Malformed(str(e) or type(e).__name__) from e
    return value, u.tell()


class _Map(dict):
    pass


def _map(pairs):
    m = _Map()
    for key, value in pairs:
        if not isinstance(key, str) or key in m:
            raise ValueError("key of a map is no string, or occurs twice")
        m[key] = value
    return m


def array_of_bytes(b):
    return list(b)


# Types. Each is a function that checks a decoded value and returns what it stands for.


def uint(bits):
    def check(v):
        if isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 1 << bits:
            raise Malformed(f"no u{bits}: {v!r:.40}")
        return v

    return check


def blob(*lengths):
    """A bin of one of these lengths, or of any length if there is none."""

    def check(v):
        if not isinstance(v, bytes) or lengths and len(v) not in lengths:
            raise Malformed(f"no bin{lengths}: {v!r:.40}")
        return v

    return check


def blobs_of(n):
    """A bin that holds any number of items of n bytes."""

    def check(v):
        if not isinstance(v, bytes) or len(v) % n:
            raise Malformed(f"no bin of {n}-byte items")
        return v

    return check


def octets(least=0, most=1 << 32):
    """A byte string in either form, bin or array."""

    def check(v):
        if isinstance(v, list) and all(type(x) is int and 0 <= x <= 255 for x in v):
            v = bytes(v)
        if not isinstance(v, bytes) or not least <= len(v) <= most:
            raise Malformed(f"no byte string of {least} to {most}: {v!r:.40}")
        return v

    return check


def text(v):
    if not isinstance(v, str) or len(v.encode()) > TEXT:
        raise Malformed(f"no text: {v!r:.40}")
    return v


def zone(v):
    return None if v is None else text(v)


def many(of, most=None):
    def check(v):
        if not isinstance(v, list):
            raise Malformed("no array")
        return [of(x) for x in v][:most]

    return check


def struct(names, types, optional=()):
    """A struct as an array of exactly its fields, or as a map by field name (W6)."""

    def check(v):
        if isinstance(v, _Map):
            for n in names:
                if n not in v and n not in optional:
                    raise Malformed(f"no field {n}")
            v = [v.get(n) for n in names]
        if not isinstance(v, list) or len(v) != len(names):
            raise Malformed(f"no struct of {names}: {v!r:.60}")
        return [of(x) for of, x in zip(types, v)]

    return check


def variant(v):
    """Returns name and value of an enum; the value of a bare name is None."""
    if isinstance(v, str):
        return v, None
    if isinstance(v, _Map) and len(v) == 1:
        return next(iter(v.items()))
    raise Malformed(f"no enum: {v!r:.40}")


# Packets


def _anything(v):
    return v


_packet = struct(["s", "id", "body"], [uint(32), blob(16), variant])
_handshake = struct(["id", "step"], [blob(16), variant])
_hmac = struct(["hmac", "message"], [octets(64, 64), octets(0, HMAC_MESSAGE)])
_hmacs = many(lambda v: Hmac(*_hmac(v)), HMACS)
_hello = struct(["pk", "zone", "hmacs", "timestamp"], [octets(32, 32), zone, _hmacs, lambda v: nanoseconds(v)], ["zone"])
_ohai = struct(["pk", "zone", "hmacs", "challenge"], [octets(32, 32), zone, _hmacs, octets(69, 69)], ["zone"])
_okboss = struct(["responses"], [many(octets(64, 64), RESPONSES)])


def _ephemeral(v):
    return None if v is None else octets(32, 32)(v)


_box = struct(["ephemeral_pk", "tag", "data"], [_ephemeral, octets(16, 16), octets()], ["ephemeral_pk"])
_sealed = struct(["box", "nonce"], [_box, octets(24, 24)])


def parse_packet(data):
    """Returns the first packet of data and the number of its bytes."""
    value, size = unpack(data)
    s, sender, (kind, content) = _packet(value)
    if kind == "B":
        (_, tag, boxed), nonce = _sealed(content)
        return Packet(s, sender, kind, Box(tag, boxed, nonce)), size
    if kind != "H":
        raise Malformed(f"packet of kind {kind!r:.20}")
    handshake, (step, fields) = _handshake(content)
    if step == "Hello":
        fields = Hello(*_hello(fields))
    elif step == "Ohai":
        fields = Ohai(*_ohai(fields))
    elif step == "OkBoss":
        fields = OkBoss(*_okboss(fields))
    elif step == "Cookie":
        fields = blob(16)(fields)
    elif step not in ("GoTeam", "Dead") or fields is not None:
        raise Malformed(f"step {step!r:.20}")
    return Packet(s, sender, kind, Handshake(handshake, step, fields)), size


def parse_datagram(data):
    """Yields the packets of a datagram. Bytes behind the last one that can be parsed are ignored (W1, W10)."""
    for i in range(PACKETS_PER_DATAGRAM):
        if not data:
            return
        try:
            packet, size = parse_packet(data)
        except Malformed:
            if i == 0:
                raise
            return
        yield packet
        data = data[size:]


def encode_packet(packet, bin_box=True):
    """Encodes a packet. The data of a box is bin for a Go node, an array for a legacy node."""
    if packet.kind == "B":
        tag, data, nonce = packet.content
        return pack([packet.s, packet.sender, {"B": [[None, tag, data if bin_box else array_of_bytes(data)], nonce]}])
    handshake, step, f = packet.content
    if step == "Hello":
        step = {step: [f.pk, f.zone, [_encode_hmac(h) for h in f.hmacs], rfc3339(f.timestamp)]}
    elif step == "Ohai":
        step = {step: [f.pk, f.zone, [_encode_hmac(h) for h in f.hmacs], array_of_bytes(f.challenge)]}
    elif step == "OkBoss":
        step = {step: [[array_of_bytes(r) for r in f.responses]]}
    elif step == "Cookie":
        step = {step: f}
    return pack([packet.s, packet.sender, {"H": [handshake, step]}])


def _encode_hmac(h):
    return [h.sum, array_of_bytes(h.message)]


# Timestamps (W8)

_timestamp = re.compile(
    r"([+-]?\d{4,6})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_epoch = datetime.date(1970, 1, 1).toordinal()


def nanoseconds(v):
    """Parses a timestamp into Unix nanoseconds."""
    m = _timestamp.fullmatch(v) if isinstance(v, str) else None
    if not m:
        raise Malformed(f"no timestamp: {v!r:.60}")
    year, month, day, hour, minute, second = (int(x) for x in m.groups()[:6])
    if hour > 23 or minute > 59 or second > 60:
        raise Malformed(f"no timestamp: {v!r:.60}")
    # The calendar repeats itself every 400 years, which have 146,097 days.
    cycles, within = divmod(year - 1, 400)
    try:
        days = datetime.date(within + 1, month, day).toordinal() + cycles * 146097 - _epoch
    except ValueError as e:
        raise Malformed(str(e)) from e
    offset = 0
    if m[8]:
        offset = int(m[8] + "1") * (int(m[9]) * 60 + int(m[10])) * 60
    fraction = int((m[7] or "0")[:9].ljust(9, "0"))
    return ((days * 24 + hour) * 3600 + minute * 60 + second - offset) * 10**9 + fraction


def rfc3339(ns):
    """Writes Unix nanoseconds with 0, 3, 6 or 9 digits of fraction, the fewest that are exact."""
    seconds, fraction = divmod(ns, 10**9)
    days, rest = divmod(seconds, 86400)
    cycles, within = divmod(days + _epoch - 1, 146097)
    date = datetime.date.fromordinal(within + 1)
    year = date.year + 400 * cycles
    written = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{written}-{date.month:02d}-{date.day:02d}T{clock}{'.' if digits else ''}{digits}Z"


# Messages (P1 to P11)

_u8, _u16, _u32, _u64, _id, _proof = uint(8), uint(16), uint(32), uint(64), blob(16), blob(32)

ALIVE, SUSPECT, DEAD, LEFT = range(4)
# origin: the accuser, or the proof of the departure. An alive entry has that of the last departure, or None.
Alive = namedtuple(
    "Alive", "state id incarnation name addr zone versions meta named refuted origin", defaults=[None]
)
Other = namedtuple("Other", "state id incarnation origin")

_alive = [_u8, _id, _u64, text, blob(6, 18), zone, blob(6), blob(), _u64, _u64]


def entry(v):
    """An entry (P4); None for an entry with a number of a later version."""
    if not isinstance(v, list) or not v:
        raise Malformed("no entry")
    state = _u8(v[0])
    if state > LEFT:
        return None
    types = _alive if state == ALIVE else [_u8, _id, _u64, _proof if state == LEFT else _id]
    if len(v) < len(types):
        raise Malformed(f"short entry of state {state}")
    fields = [of(x) for of, x in zip(types, v)]
    if state != ALIVE:
        return Other(*fields)
    if len(v) > len(types) and v[len(types)] is not None:
        fields.append(_proof(v[len(types)]))
    return Alive(*fields)


def encode_entry(e):
    return list(e) if e.origin is not None else list(e)[:-1]


def _entries(v):
    return [e for e in many(entry)(v) if e is not None]


def _layout(*types):
    def check(v):
        if not isinstance(v, list) or len(v) < len(types):
            raise Malformed("short body")
        return [of(x) for of, x in zip(types, v)]

    return check


_addr = blob(6, 18)
_socket = {"V4": 4, "V6": 16}


def _peer_addr(v):
    name, value = variant(v)
    if name not in _socket or not isinstance(value, list) or len(value) != 2:
        raise Malformed("no address")
    return name, octets(_socket[name], _socket[name])(value[0]), _u16(value[1])


_peer_fields = struct(["addr", "id", "zone"], [_peer_addr, _id, zone], ["zone"])


def _peer(v):
    return Peer(*_peer_fields(v))


def _up_or_down(v):
    if v not in ("Up", "Down"):
        raise Malformed("no status")
    return v


def _request(v):
    name, value = variant(v)
    if name == "Peers":
        return name, many(_peer)(value)
    if name == "PeerStatus":
        return name, struct(["0", "1"], [_peer, _up_or_down])(value)
    if name not in REQUESTS or value is not None:
        raise Malformed(f"request {name!r:.20}")
    return name, None


REQUESTS = ("PeerList", "StartSubscription", "SubscriptionStarted", "EndSubscription", "Heartbeat")

_frame = struct(["len", "idx", "data"], [_u32, _u32, octets()])
_nak = struct(["start", "end"], [_u32, _u32])

BODIES = {
    "Broadcast": octets(),
    "PeerRequest": _request,
    "Frame": lambda v: Frame(*_frame(v)),
    "Nak": lambda v: Nak(*_nak(v)),
    "Identity": entry,
    "Members": _entries,
    "SyncMembers": _entries,
    "SyncRoot": _layout(_u64, _u32, _u32, _u32, _u64),
    "SyncBuckets": _layout(_u8, _u32, blobs_of(8), _u64),
    "SyncWant": _layout(_u8, blobs_of(4)),
    "Ping": _layout(_u64, blob()),
    "Ack": _layout(_u64, blob()),
    "Report": _layout(_u64, _u64, _u64, _u32),
    "Direct": _layout(_u8, _u32, _u32, blob()),
    "DirectAck": _layout(_id, _u32, _u32),
    "Settled": _layout(_u32, _u32),
    "Cast": _layout(_u16, blob()),
    "Have": blob(),
    "Want": blobs_of(24),
    "Prune": blobs_of(9),
    "Graft": blobs_of(9),
    "Stripes": blobs_of(17),
    "Stop": _id,
    "StateRefused": _layout(_id),
    "ProbeFor": _layout(_u64, _id, _addr),
    "ProbeResult": _layout(_u64, _u8),
}

_message = struct(["id", "body"], [_id, variant])


def parse_message(data):
    """Returns the first message of data and the number of its bytes. A body with an unknown name has the value None."""
    value, size = unpack(data)
    ident, (name, body) = _message(value)
    return Message(ident, name, BODIES[name](body) if name in BODIES else None), size


def parse_plaintext(data):
    """Yields the known messages of a plaintext. One that cannot be parsed ends it (P1); unknown bodies are skipped (P2)."""
    while data:
        try:
            message, size = parse_message(data)
        except Malformed:
            return
        if message.name in BODIES:
            yield message
        data = data[size:]


def encode_message(message, legacy=False):
    """Encodes a message. Byte strings of the bodies of part 1 are arrays for a legacy node."""
    octets_of = array_of_bytes if legacy else bytes
    name, value = message.name, message.value
    if name == "Broadcast":
        value = octets_of(value)
    elif name == "Frame":
        value = [value.len, value.idx, octets_of(value.data)]
    elif name == "PeerRequest":
        value = _encode_request(*value)
    elif name == "Identity":
        value = encode_entry(value)
    elif name in ("Members", "SyncMembers"):
        value = [encode_entry(e) for e in value]
    return pack([message.id, {name: value}])


def _encode_request(name, value):
    if name == "Peers":
        return {name: [_encode_peer(p) for p in value]}
    if name == "PeerStatus":
        return {name: [_encode_peer(value[0]), value[1]]}
    return name


def _encode_peer(p):
    family, ip, port = p.addr
    return [{family: [array_of_bytes(ip), port]}, p.id, p.zone]

"""Keys, proofs and boxes of docs/PROTOCOL.md: C1 to C4, N1, X1 to X6, H1 to H3, S1 to S5, K1."""

import hashlib
import os
import secrets
import struct
import time
from collections import namedtuple

from nacl.bindings import (
    crypto_box_open,
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_secretbox,
    crypto_secretbox_open,
)
from nacl.exceptions import CryptoError

import wire

MAGIC = b"gwyh-ext"
HELLO, OHAI = 1, 2  # roles of X1
NAME, ADDRESS, VERSIONS, COOKIE, CLAIM = 1, 2, 3, 4, 5  # types of the tail of X1
BLOCK = 64


class Rejected(Exception):
    """The packet is not what a node of this cluster would send."""


def blake2b(data, key=b"", size=64):
    return hashlib.blake2b(data, key=key, digest_size=size).digest()


def ring_key(psk, label=None):
    """The k of a pre-shared key (C1), or of a key and a cluster label (K1)."""
    k = blake2b(psk)
    return k if label is None else blake2b(b"gwyh/1 label" + label.encode(), k)


def hmac_sum(k, message, timestamp):
    """C2. timestamp in Unix nanoseconds."""
    return blake2b(message + str(timestamp).encode(), k)


def legacy_response(psk, challenge, pk, handshake):
    """C3."""
    return blake2b(psk + challenge + pk + handshake)


def open_legacy(box, pk, sk):
    """C4. Returns the plaintext of a box of a gwyh 0.1 node."""
    try:
        return crypto_box_open(box.tag + box.data, box.nonce, pk, sk)
    except CryptoError as e:
        raise Rejected("the box does not open") from e


def key_pair():
    sk = secrets.token_bytes(32)
    return sk, crypto_scalarmult_base(sk)


def random_uuid(version):
    b = bytearray(secrets.token_bytes(16))
    b[6] = b[6] & 0x0F | version << 4
    b[8] = b[8] & 0x3F | 0x80
    return bytes(b)


DEPARTURES = 32


class Identity:
    """N1: the id of a node, and what only the node has to prove that it is its own."""

    def __init__(self):
        self.chain = [random_uuid(8)]
        while len(self.chain) <= DEPARTURES:
            self.chain.insert(0, _uuid(self.chain[0]))
        self.sk, pk = key_pair()
        self.key_hash, self.claim = _key_hash(pk), self.chain[0] + pk
        self.id = id_of(self.claim)

    def departure(self, number):
        """The proof of a departure, from 1 on."""
        return self.chain[number] + self.key_hash


def id_of(claim):
    """N1: the id that a claim belongs to."""
    if claim is None or len(claim) != 48:
        raise Rejected("no claim")
    return _uuid(claim[:16] + _key_hash(claim[16:]))


def departure_of(ident, proof):
    """N1: which departure of a node a proof proves, or 0."""
    element, key_hash = proof[:16], proof[16:]
    for number in range(1, DEPARTURES + 1):
        element = _uuid(element)
        if _uuid(element + key_hash) == ident:
            return number
    return 0


def _key_hash(pk):
    return blake2b(pk, size=32)[:16]


def _uuid(data):
    b = bytearray(blake2b(data, size=32)[:16])
    b[6], b[8] = b[6] & 0x0F | 0x80, b[8] & 0x3F | 0x80
    return bytes(b)


def version_of(ident):
    return ident[6] >> 4


# The extension block (X1 to X3)

Block = namedtuple("Block", "role capabilities incarnation datagram interval binding name address versions cookie claim signed")
# signed: block[8:32] and block[64:length], which the binding covers


def _tail(name, address, versions, cookie, claim):
    tail = b""
    for kind, value in ((NAME, name.encode()), (ADDRESS, address), (VERSIONS, versions), (COOKIE, cookie), (CLAIM, claim)):
        if value and not (kind == NAME and len(value) > 64):
            tail += struct.pack(">BH", kind, len(value)) + value
    return tail


def encode_block(role, binding_of, incarnation, datagram, interval, name, address, versions, claim=b"", cookie=b"", capabilities=0):
    """binding_of is called with block[8:32] and the tail."""
    tail = _tail(name, address, versions, cookie, claim)
    head = struct.pack(">BBHIQII", 1, role, BLOCK + len(tail), capabilities, incarnation, datagram, interval)
    return MAGIC + head + binding_of(head, tail) + tail


def padded(block):
    """X2."""
    least = max(69, len(block))
    if least >= 96:
        return block
    return block + os.urandom(least + secrets.randbelow(96 - least + 1) - len(block))


def parse_block(message):
    """Parses the block at the beginning of an Hmac's message, which begins with the magic."""
    if len(message) < BLOCK:
        raise Rejected("short block")
    version, role, length, capabilities, incarnation, datagram, interval = struct.unpack(">BBHIQII", message[8:32])
    if version == 0 or not BLOCK <= length <= len(message):
        raise Rejected("version or length of the block")
    tail, found = message[BLOCK:length], {}
    while tail:
        if len(tail) < 3 or len(tail) < 3 + int.from_bytes(tail[1:3], "big"):
            raise Rejected("the tail ends inside an entry")
        n = int.from_bytes(tail[1:3], "big")
        found[tail[0]], tail = tail[3 : 3 + n], tail[3 + n :]
    return Block(
        role, capabilities, incarnation, datagram, interval, message[32:64],
        found.get(NAME, b"").decode(errors="replace"), found.get(ADDRESS), found.get(VERSIONS), found.get(COOKIE),
        found.get(CLAIM),
        (message[8:32], message[BLOCK:length]),
    )  # fmt: skip


def _zone(zone):
    if zone is None:
        return b"\xff\xff"
    return struct.pack(">H", len(zone.encode())) + zone.encode()


def hello_binding(handshake, node, timestamp, pk, zone, head, tail):
    what = b"gwyh/1 hello" + handshake + node + struct.pack(">q", timestamp) + pk + _zone(zone)
    return blake2b(what + head + tail, size=32)


def ohai_binding(hello, node, pk, zone, challenge, proof, head, tail):
    what = b"gwyh/1 ohai" + hello + node + pk + _zone(zone) + struct.pack(">H", 69) + challenge + proof
    return blake2b(what + head + tail, size=32)


def agree(sk, pk):
    """The shared secret of two keys."""
    try:
        return crypto_scalarmult(sk, pk)
    except Exception as e:  # libsodium refuses a shared secret of all zeros
        raise Rejected("shared secret of zeros") from e


def check_claim(claim, sender):
    """X6: returns the key of the sender's id."""
    if id_of(claim) != sender:
        raise Rejected("claim of another id")
    return claim[16:]


def okboss_responses(k, ohai, claim, shared):
    """H3: both responses. shared: of the key of the claim and the Ohai's."""
    second = claim + blake2b(b"gwyh/1 id" + ohai + shared, k)[:16]
    return [okboss_response(k, ohai, second), second]


def okboss_response(k, ohai, second):
    """H3: the first response."""
    return blake2b(b"gwyh/1 okboss" + ohai + second, k)


def verify(hmacs, keys, timestamp):
    """Returns the key and the message of the first Hmac that verifies (H1)."""
    for h in hmacs[:4]:
        for k in keys[:4]:
            if secrets.compare_digest(h.sum, hmac_sum(k, h.message, timestamp)):
                return k, h.message
    raise Rejected("no Hmac verifies")


def bound_block(message, sender, role):
    """X4 and X5, for a node that admits no legacy nodes; the caller checks the binding."""
    if not message.startswith(MAGIC):
        raise Rejected("unbound")
    block = parse_block(message)
    if version_of(sender) != 8 or block.role != role:
        raise Rejected("id or role")
    return block


# Sessions (S1 to S5)


class Session:
    """The keys and counters of one handshake. Opened are the packet numbers that have arrived."""

    WINDOW = 4032

    def __init__(self, own, peer, k, shared, binding, initiator):
        keys = blake2b(b"gwyh/1 keys" + b"".join(shared) + binding, k)  # S1
        self.own, self.peer, self.prefix = own, peer, binding[:16]
        self.send_key, self.open_key = (keys[:32], keys[32:]) if initiator else (keys[32:], keys[:32])
        self.sent = self.highest = self.bytes = 0
        self.opened, self.highest_at = set(), 0.0
        self.settled = set()  # packet numbers that did not arrive and are not requested any more

    def seal(self, plaintext):
        """Returns the packet that holds plaintext."""
        self.sent += 1
        nonce = self.prefix + struct.pack(">Q", self.sent)
        sealed = crypto_secretbox(plaintext, nonce, self.send_key)
        box = wire.Box(sealed[:16], sealed[16:], nonce)
        return wire.encode_packet(wire.Packet(self.sent & 0xFFFFFFFF, self.own, "B", box))

    def open(self, packet):
        """Returns the plaintext of a packet; raises Rejected if it is forged, repeated or too old."""
        box = packet.content
        counter = int.from_bytes(box.nonce[16:], "big")
        if packet.sender != self.peer or box.nonce[:16] != self.prefix:
            raise Rejected("box of another session")
        if counter in self.opened or counter <= self.highest - self.WINDOW:
            raise Rejected("packet number was used before")
        try:
            plaintext = crypto_secretbox_open(box.tag + box.data, box.nonce, self.open_key)
        except CryptoError as e:
            raise Rejected("the box does not open") from e
        self.opened.add(counter)
        if counter > self.highest:
            self.highest, self.highest_at = counter, time.monotonic()
            self.opened = {c for c in self.opened if c > counter - self.WINDOW}
            self.settled = {c for c in self.settled if c > counter - self.WINDOW}
        return plaintext

    def missing(self):
        """Yields the packet numbers that have not arrived and may still be requested (A1)."""
        first = max(1, self.highest - self.WINDOW + 1)
        return (c for c in range(first, self.highest) if c not in self.opened and c not in self.settled)

    def lowest_missing(self):
        return next(self.missing(), self.highest + 1)

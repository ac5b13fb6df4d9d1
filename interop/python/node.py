"""A small node: it joins, is a member, answers probes, sends heartbeats and broadcasts, and leaves.

It is one thread that runs while its owner calls run. It repairs losses by Naks and by digests, and probes nodes for
others. It admits no gwyh 0.1 nodes, has no application state, and accuses nobody.
"""

import random
import secrets
import select
import socket
import struct
import time
from collections import namedtuple

import crypto
import wire

DATAGRAM = 1200  # P10, Z1: no larger one is sent without a confirmed path
VERSIONS = bytes([1, 5, 2, 0, 0, 0])  # P4: those of memberlist's default configuration
MESSAGE = 16 << 20  # F1
REPORT_BYTES, REPORT_PAUSE = 16 << 10, 0.02  # T1
PAUSES = (0.1, 0.2, 0.7, 2.0)  # E8: 0.1, 0.3, 1 and 3 s after the first, then every 3 s
BUCKETS = 14  # P7
RTT = 0.1  # A1: an unknown round trip counts as 100 ms
REQUESTS = 5  # A1, Q10: how often one packet or message is requested
REMEMBERED = 10.0  # A3: the longest time for which sent packets are remembered
DIGEST_SPAN = 3.0  # Q7
SLACK = 0.01  # Q10
HOLES = 32  # Q7
PROBE_TIMEOUT = 0.5  # V3: of the LAN preset
REPAIRED = ("Cast", "Frame", "Direct")  # A3: messages that are sent again
ALL = (1 << 32) - 1  # Q10: the end of a message of unknown length

Broadcast = namedtuple("Broadcast", "id data")


def _mix(x):
    mask = (1 << 64) - 1
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
    return x ^ x >> 31


def id_hash(ident):
    """Y2."""
    last = int.from_bytes(ident[8:], "big") + 0x9E3779B97F4A7C15 & (1 << 64) - 1
    return _mix(int.from_bytes(ident[:8], "big") ^ _mix(last))


def number(entry):
    """Y1."""
    digest = crypto.blake2b(wire.pack(wire.encode_entry(entry)), size=32)[:16]
    return int.from_bytes(crypto.blake2b(digest + b"\0") + crypto.blake2b(digest + b"\1"), "big")


def set_hash(salt, entries):
    """Y1. The hash of a set of entries."""
    total = sum(map(number, entries)) % (1 << 1024)
    if not total:
        return 0
    return int.from_bytes(crypto.blake2b(struct.pack(">Q", salt) + total.to_bytes(128, "big"), size=32)[:8], "big")


def encode_addr(addr):
    return socket.inet_aton(addr[0]) + struct.pack(">H", addr[1])


def decode_addr(addr):
    return socket.inet_ntoa(addr[:4]), int.from_bytes(addr[4:], "big")


class Member:
    """What is known of a node: its last alive entry, and its state. A suspect member is still live (Y1)."""

    def __init__(self, entry):
        self.entry, self.state, self.incarnation = entry, wire.ALIVE, entry.incarnation

    @property
    def live(self):
        return self.state in (wire.ALIVE, wire.SUSPECT)


class Assembly:
    """A message of which pieces have arrived (F1): its bytes, and the ranges that are here, in order."""

    def __init__(self, total):
        self.data, self.ranges = bytearray(total), []

    def add(self, offset, piece):
        """Adds a piece. Returns whether the message is whole."""
        start, end, apart = offset, offset + len(piece), []
        if end > len(self.data):
            return False
        self.data[start:end] = piece
        for a, b in self.ranges:
            if b < start or a > end:
                apart.append((a, b))
            else:
                start, end = min(a, start), max(b, end)
        self.ranges = sorted(apart + [(start, end)])
        return self.ranges == [(0, len(self.data))]


class Request:
    """Something that is requested until it arrives: a packet (A1) or a message (Q10)."""

    def __init__(self, due):
        self.due, self.tries = due, 0

    def again(self, now, pause):
        """Counts one more transmission. Returns whether it is allowed."""
        self.tries += 1
        self.due = now + pause
        return self.tries <= REQUESTS


Digest = namedtuple("Digest", "origin top span age delay lazy holes")


def encode_digest(d):
    """P9."""
    holes = b"".join(struct.pack(">HH", below, length) for below, length in d.holes)
    return d.origin + struct.pack(">QHHHBB", d.top, d.span, d.age, d.delay, d.lazy, len(d.holes)) + holes


def parse_digests(data):
    """P9. A malformed digest ends the list."""
    while len(data) >= 24:
        top, span, age, delay, flags, n = struct.unpack(">QHHHBB", data[8:24])
        end = 24 + 4 * n
        if n > HOLES or len(data) < end or span > top:
            return
        holes = [struct.unpack(">HH", data[i : i + 4]) for i in range(24, end, 4)]
        yield Digest(data[:8], top, span, age, delay, flags & 1, holes)
        data = data[end:]


def counters(d):
    """Q7: the counters of the messages that the sender of a digest has."""
    missing = {c for below, length in d.holes for c in range(d.top - below - length + 1, d.top - below + 1)}
    return [c for c in range(d.top - d.span, d.top + 1) if c not in missing]


class Attempt:
    """A handshake that this node began."""

    def __init__(self, addr):
        self.addr, self.handshake, self.begun = addr, None, time.monotonic()
        self.packets, self.repeated, self.due = [], 0, 0.0
        self.session = None


class HalfOpen:
    """A handshake that a peer began."""

    def __init__(self, hello, block):
        self.hello, self.block = hello, block
        self.ohai = self.binding = self.k = self.sk = self.own = self.identity = None


class Peer:
    """A node with which this node has a session."""

    def __init__(self, ident):
        self.id, self.sessions, self.addr = ident, [], None
        self.block = None
        self.heard = 0.0
        self.subscribed = False  # this node has subscribed to the peer
        self.subscriber = False  # the peer has subscribed to this node
        self.pruned = set()  # origins of which the peer wants no full copies
        self.root = None  # the last SyncRoot of the peer
        self.unreported, self.report_due, self.report_of = 0, False, None  # T1
        self.reported = 0.0

    @property
    def linked(self):
        return self.subscribed or self.subscriber


class Node:
    def __init__(self, name, key, host="127.0.0.1", label=None, heartbeat=1.0):
        self.heartbeat = heartbeat
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.addr = self.socket.getsockname()
        self.keys = [crypto.ring_key(key, label)]
        self.identity = crypto.Identity()
        self.id, self.claim = self.identity.id, self.identity.claim
        tag = bytearray(secrets.token_bytes(8))
        tag[6] = tag[6] & 0x0F | 0x80  # P3
        self.tag, self.made, self.spoken = bytes(tag), 0, 0
        now = int(time.time() * 1000)
        self.incarnation = now
        self.entry = wire.Alive(
            wire.ALIVE, self.id, now, name, encode_addr(self.addr), None, VERSIONS, b"", now, 0
        )
        self.members = {self.id: Member(self.entry)}
        self.peers, self.attempts, self.half_open = {}, [], {}
        self.packets_to = {}  # s of W5
        self.salt = secrets.randbits(64)  # Y1
        self.last_timestamp = 0
        self.seen, self.assemblies = set(), {}
        self.broadcasts, self.pings_answered, self.acks = [], 0, set()
        self.heartbeats, self.reports = 0, {}
        self.rejected = []  # what was dropped, and why
        self.next_heartbeat, self.left = 0.0, False
        self.lists = set()  # member lists of this node that were answered
        self.lost = lambda data, source: False  # which received datagrams the network loses, for tests
        self.unsent = lambda data: False  # the same of sent datagrams
        self.sent_log = {}  # A3: what each packet carried, and when; by session prefix and packet number
        self.asked = {}  # A1: the Requests of missing packets; by session prefix and packet number
        self.naks = self.served = 0  # Naks sent, and packets retransmitted
        self.kept = {}  # broadcasts that may be requested (Q11): when each was met, from whom, and its bytes
        self.wanted, self.wants = {}, 0  # Q10: the Requests of messages, each with the neighbor; Wants sent
        self.probes, self.results = [], []  # V3: probes for others, and the results that this node got

    def close(self):
        self.socket.close()

    # What the owner calls.

    def join(self, addr, timeout=5.0):
        """Y9: a handshake, the own entry, a subscription, and a comparison of members. Returns whether all succeeded."""
        attempt = self.begin(addr)
        if not self.run(lambda: attempt.session and self._confirmed(attempt.session), timeout):
            self.attempts.remove(attempt)
            return False
        peer = self.peers[attempt.session.peer]
        if peer.block.capabilities & 3 or peer.block.versions != VERSIONS:
            push = self._push_list(peer)
            if not self.run(lambda: push in self.lists, timeout):
                return False
        self._subscribe(peer)
        self._compare(peer)
        return self.run(lambda: peer.subscribed and peer.root and self.equals(peer), timeout)

    def begin(self, addr):
        """Begins a handshake with the node at an address."""
        attempt = Attempt(addr)
        self.attempts.append(attempt)
        self._hello(attempt)
        return attempt

    def confirmed(self):
        """Returns whether another node has sealed anything for this one."""
        return any(self._confirmed(s) for p in self.peers.values() for s in p.sessions)

    def run(self, until, timeout):
        """Takes part in the cluster until the condition holds or the time is up. Returns whether it holds."""
        end = time.monotonic() + timeout
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            readable, _, _ = select.select([self.socket], [], [], min(left, 0.02))
            if readable:
                data, source = self.socket.recvfrom(65507)
                if not self.lost(data, source):
                    self._datagram(data, source)
            self._timers()
        return True

    def broadcast(self, data):
        """D1 for a message that fits into one datagram, D3 for a larger one."""
        self.made += 1
        ident = self.tag + struct.pack(">Q", self.made)
        self.seen.add(ident)
        self.kept[ident] = (time.monotonic(), None, data)
        for peer in self._links():
            self._send_broadcast(peer, ident, 0, data)
        return ident

    def announce(self, data):
        """Makes a broadcast, but sends only a digest of it: the others have to request it."""
        links, self._links = self._links, lambda: []
        ident = self.broadcast(data)
        self._links = links
        for peer in self._links():
            self._send_digests(peer)
        return ident

    def prune(self, peer, origin):
        """Q5."""
        self._send(peer, ("Prune", origin + b"\1"))

    def probe_by(self, helper, target, addr):
        """V1: asks a helper to probe a node."""
        self._send(helper, ("ProbeFor", [1, target, encode_addr(addr)]))

    def ping(self, peer, timeout=2.0):
        token = secrets.randbits(62)
        self._send(peer, ("Ping", [token, b""]))
        return self.run(lambda: token in self.acks, timeout)

    def leave(self, timeout=1.0):
        """M8."""
        left = wire.Other(
            wire.LEFT, self.id, self.entry.incarnation, self.identity.departure(1)
        )
        self.left, links = True, self._links()
        tokens = {p.id: secrets.randbits(62) for p in links}
        for peer in links:
            self._send(peer, ("Members", [left]))
            self._send(peer, ("PeerRequest", ("EndSubscription", None)))
            peer.subscribed = peer.subscriber = False
        for pause in (0.1, 0.2, timeout - 0.3):
            waiting = [p for p in links if tokens[p.id] not in self.acks]
            for peer in waiting:
                self._send(peer, ("Members", [left]), ("Ping", [tokens[peer.id], b""]))
            if self.run(lambda: all(tokens[p.id] in self.acks for p in links), pause):
                return True
        return False

    # Sending.

    def _links(self):
        return [p for p in self.peers.values() if p.linked]

    def _write(self, data, addr):
        if not self.unsent(data):
            self.socket.sendto(data, addr)

    def _handshake_packet(self, addr, handshake, step, fields):
        self.packets_to[addr] = self.packets_to.get(addr, 0) + 1
        content = wire.Handshake(handshake, step, fields)
        return wire.encode_packet(wire.Packet(self.packets_to[addr] & 0xFFFFFFFF, self.id, "H", content))

    def _message(self, name, value, ident=None):
        if ident is None:
            # P3: the ids of other messages have the tag with its first bit inverted.
            self.spoken += 1
            ident = bytes([self.tag[0] ^ 0x80]) + self.tag[1:] + struct.pack(">Q", self.spoken)
        return wire.encode_message(wire.Message(ident, name, value))

    def _send(self, peer, *bodies, session=None):
        self._seal(peer, b"".join(self._message(name, value) for name, value in bodies), session)

    def _seal(self, peer, plaintext, session=None):
        session = session or next(s for s in reversed(peer.sessions) if self._confirmed(s))
        packet = session.seal(plaintext)
        self.sent_log[session.prefix, session.sent] = (time.monotonic(), plaintext)
        self._write(packet, peer.addr)

    def _send_broadcast(self, peer, ident, delay, data, start=0, end=ALL):
        whole = self._message("Cast", [delay, data], ident)
        if len(whole) + 77 <= DATAGRAM:
            self._seal(peer, whole)
            return
        piece, end = DATAGRAM - 150, min(end, len(data))
        for i in range(start, end, piece):
            frame = wire.Frame(len(data), i, data[i : min(i + piece, end)])
            self._seal(peer, self._message("Frame", frame, ident))

    # Handshake.

    def _block(self, role, binding_of, claim=b""):
        return crypto.encode_block(
            role, binding_of, self.entry.incarnation, 65507, int(self.heartbeat * 1000),
            self.entry.name, self.entry.addr, VERSIONS, claim,
        )  # fmt: skip

    def _timestamp(self):
        self.last_timestamp = max(time.time_ns(), self.last_timestamp + 1)  # E3
        return self.last_timestamp

    def _hello(self, attempt):
        attempt.handshake = crypto.random_uuid(4)
        attempt.sk, attempt.pk = crypto.key_pair()
        attempt.timestamp = self._timestamp()

        def binding_of(head, tail):
            attempt.binding = crypto.hello_binding(
                attempt.handshake, self.id, attempt.timestamp, attempt.pk, None, head, tail
            )
            return attempt.binding

        block = self._block(crypto.HELLO, binding_of)
        hmacs = []
        for k in self.keys:
            message = crypto.padded(block)
            hmacs.append(wire.Hmac(crypto.hmac_sum(k, message, attempt.timestamp), message))
        hello = wire.Hello(attempt.pk, None, hmacs, attempt.timestamp)
        attempt.packets = [lambda: self._handshake_packet(attempt.addr, attempt.handshake, "Hello", hello)]
        self._repeat(attempt, first=True)

    def _repeat(self, attempt, first=False):
        attempt.repeated = 0 if first else attempt.repeated + 1
        pause = PAUSES[attempt.repeated] if attempt.repeated < len(PAUSES) else 3.0
        attempt.due = time.monotonic() + pause * random.uniform(0.75, 1.25)
        self._write(b"".join(make() for make in attempt.packets), attempt.addr)

    def _on_ohai(self, packet, source):
        attempt = next((a for a in self.attempts if a.handshake == packet.content.id and not a.session), None)
        if attempt is None:
            raise crypto.Rejected("an Ohai that belongs to no handshake")
        ohai = packet.content.fields
        k, message = crypto.verify(ohai.hmacs, self.keys, attempt.timestamp)
        block = crypto.bound_block(message, packet.sender, crypto.OHAI)
        theirs = crypto.agree(attempt.sk, crypto.check_claim(block.claim, packet.sender))
        binding = crypto.ohai_binding(
            attempt.binding, packet.sender, ohai.pk, ohai.zone, ohai.challenge, theirs, *block.signed
        )
        if binding != block.binding:
            raise crypto.Rejected("binding of the Ohai")
        shared = [crypto.agree(attempt.sk, ohai.pk), theirs, crypto.agree(self.identity.sk, ohai.pk)]
        session = crypto.Session(self.id, packet.sender, k, shared, binding, initiator=True)
        attempt.session, attempt.addr = session, source  # R1
        self._peer(session, block, source)
        okboss = wire.OkBoss(crypto.okboss_responses(k, binding, self.claim, shared[2]))
        identity = session.seal(self._message("Identity", self.entry))
        attempt.packets = [
            lambda: self._handshake_packet(source, attempt.handshake, "OkBoss", okboss),
            lambda: identity,
        ]
        self._repeat(attempt, first=True)

    def _peer(self, session, block, source):
        peer = self.peers.setdefault(session.peer, Peer(session.peer))
        peer.sessions = peer.sessions[-3:] + [session]
        peer.block, peer.addr = block, source
        return peer

    def _confirmed(self, session):
        return session.highest > 0

    def _on_hello(self, packet, source):
        hello, key = packet.content.fields, (packet.sender, packet.content.id)
        if packet.sender == self.id:
            raise crypto.Rejected("own Hello")  # H7
        if key in self.half_open:
            state = self.half_open[key]
            if state.hello != hello:
                raise crypto.Rejected("a Hello with other content")  # H4
            self._write(self._handshake_packet(source, packet.content.id, "Ohai", state.ohai), source)
            return
        if abs(hello.timestamp - time.time_ns()) > 60 * 10**9:
            raise crypto.Rejected("timestamp of the Hello")  # E1
        k, message = crypto.verify(hello.hmacs, self.keys, hello.timestamp)
        block = crypto.bound_block(message, packet.sender, crypto.HELLO)
        binding = crypto.hello_binding(
            packet.content.id, packet.sender, hello.timestamp, hello.pk, hello.zone, *block.signed
        )
        if binding != block.binding:
            raise crypto.Rejected("binding of the Hello")
        self._answer_hello(key, hello, k, block, binding, source)

    def _answer_hello(self, key, hello, k, block, hello_binding, source):
        sk, pk = crypto.key_pair()
        challenge = secrets.token_bytes(69)
        state = self.half_open[key] = HalfOpen(hello, block)
        state.own = crypto.agree(self.identity.sk, hello.pk)

        def binding_of(head, tail):
            state.binding = crypto.ohai_binding(hello_binding, self.id, pk, None, challenge, state.own, head, tail)
            return state.binding

        message = crypto.padded(self._block(crypto.OHAI, binding_of, self.claim))
        state.ohai = wire.Ohai(pk, None, [wire.Hmac(crypto.hmac_sum(k, message, hello.timestamp), message)], challenge)
        state.k, state.sk = k, sk
        self._write(self._handshake_packet(source, key[1], "Ohai", state.ohai), source)

    def _on_okboss(self, packet, source):
        key = (packet.sender, packet.content.id)
        state = self.half_open.get(key)
        if state is None:
            raise crypto.Rejected("an OkBoss that belongs to no handshake")
        if state.identity is None:
            shared = self._check_okboss(state, packet.sender, packet.content.fields.responses)
            session = crypto.Session(self.id, packet.sender, state.k, shared, state.binding, initiator=False)
            self._peer(session, state.block, source)
            state.identity = session.seal(self._message("Identity", self.entry))
        self._write(state.identity, source)

    def _check_okboss(self, state, sender, responses):
        """H3, X6. Returns the three shared secrets."""
        first = len(responses) == 2 and crypto.okboss_response(state.k, state.binding, responses[1])
        if not first or not secrets.compare_digest(first, responses[0]):
            raise crypto.Rejected("response of the OkBoss")
        claim = responses[1][:48]
        theirs = crypto.agree(state.sk, crypto.check_claim(claim, sender))
        if crypto.okboss_responses(state.k, state.binding, claim, theirs) != responses:
            raise crypto.Rejected("proof of the initiator's id")
        return [crypto.agree(state.sk, state.hello.pk), state.own, theirs]

    # Receiving.

    def _datagram(self, data, source):
        try:
            for packet in wire.parse_datagram(data):
                self._packet(packet, source)
        except (wire.Malformed, crypto.Rejected) as e:
            self.rejected.append(str(e))

    def _packet(self, packet, source):
        if packet.kind == "H":
            on = {"Hello": self._on_hello, "Ohai": self._on_ohai, "OkBoss": self._on_okboss}.get(packet.content.step)
            if on is None:
                raise crypto.Rejected(f"step {packet.content.step}")
            on(packet, source)
            return
        peer = self.peers.get(packet.sender)
        session = peer and next((s for s in peer.sessions if s.prefix == packet.content.nonce[:16]), None)
        if session is None:
            raise crypto.Rejected("box of an unknown session")
        plaintext = session.open(packet)
        size = len(wire.encode_packet(packet))
        session.bytes += size
        self._count(peer, session, size)
        peer.heard = time.monotonic()
        self.attempts = [a for a in self.attempts if a.session is not session]
        for message in wire.parse_plaintext(plaintext):
            on = getattr(self, "_on_" + message.name.lower(), None)
            if on is not None:
                on(peer, session, message)

    def _on_peerrequest(self, peer, session, message):
        request = message.value[0]
        if request == "StartSubscription" and self.left:
            self._send(peer, ("PeerRequest", ("EndSubscription", None)))  # G2
        elif request == "StartSubscription":
            self._send(peer, ("Members", [self.entry]), ("PeerRequest", ("SubscriptionStarted", None)))
            if not peer.linked:
                peer.pruned.clear()
            peer.subscriber = True
            self._beat(peer)
        elif request == "SubscriptionStarted":
            peer.subscribed = True
            self._beat(peer)
        elif request == "EndSubscription":  # G4, in this order
            if peer.subscriber:
                peer.subscriber = False
            else:
                peer.subscribed = False
        elif request == "Heartbeat":
            self.heartbeats += 1
            if not peer.linked:
                self._send(peer, ("PeerRequest", ("EndSubscription", None)))  # G5

    def _on_ping(self, peer, session, message):
        self.pings_answered += 1
        self._send(peer, ("Ack", [message.value[0], b""]), session=session)

    def _on_ack(self, peer, session, message):
        self.acks.add(message.value[0])

    def _on_probefor(self, peer, session, message):
        """V3, by a handshake with the target."""
        seq, target, addr = message.value
        if target == self.id:
            self._send(peer, ("ProbeResult", [seq, int(not self.left)]))
            return
        known = self.members.get(target)
        attempt = Attempt(decode_addr(known.entry.addr if known else addr))
        self.attempts.append(attempt)
        self._hello(attempt)
        self.probes.append((time.monotonic() + PROBE_TIMEOUT * 4 / 5, peer, seq, target, attempt))

    def _step_probes(self, now):
        for probe in list(self.probes):
            due, peer, seq, target, attempt = probe
            session = attempt.session
            answered = session is not None and session.peer == target and self._confirmed(session)
            if answered or now >= due:
                self.probes.remove(probe)
                self._send(peer, ("ProbeResult", [seq, int(answered)]))

    def _on_proberesult(self, peer, session, message):
        self.results.append(message.value)

    def _on_nak(self, peer, session, message):
        """A2 to A4."""
        start, end = message.value
        numbers = (end - start) % (1 << 32)
        if numbers > session.WINDOW or start > session.sent or end > session.sent + 1:
            return
        for number in range(start, end):
            _, plaintext = self.sent_log.pop((session.prefix, number), (0, b""))
            lost = [m for m in wire.parse_plaintext(plaintext) if m.name in REPAIRED]
            if lost:
                self.served += 1
                self._seal(peer, b"".join(wire.encode_message(m) for m in lost))
        self._send(peer, ("Settled", [start, end]), session=session)

    def _on_settled(self, peer, session, message):
        start, end = message.value
        if end - start <= session.WINDOW:
            session.settled |= {c for c in range(start, end) if c not in session.opened}

    def _ask_missing(self, peer, session, now):
        """A1."""
        for number in list(session.missing()):
            key = (session.prefix, number)
            request = self.asked.setdefault(key, Request(now + RTT * 9 / 8))
            overtaken = request.tries == 0 and session.highest >= number + 3
            if not overtaken and now < request.due:
                continue
            if request.again(now, RTT * 3 / 2):
                self.naks += 1
                self._send(peer, ("Nak", [number, number + 1]), session=session)
            else:
                session.settled.add(number)

    # Repair by digests.

    def _digests(self, peer, now):
        """Q7 and Q8: of the recent messages of each origin, unless the newest came from the peer."""
        origins = {}
        for ident, (at, source, _) in self.kept.items():
            if now - at <= DIGEST_SPAN:
                origins.setdefault(ident[:8], {})[int.from_bytes(ident[8:], "big")] = (at, source)
        for origin, messages in origins.items():
            top, lowest = max(messages), min(messages)
            at, source = messages[top]
            holes = [(top - c, 1) for c in range(top, lowest, -1) if c not in messages]
            if source is not peer and len(holes) <= HOLES:
                age = min(int((now - at) * 1e4), 0xFFFF)
                yield encode_digest(Digest(origin, top, top - lowest, age, 0, origin in peer.pruned, holes))

    def _send_digests(self, peer):
        digests = b"".join(self._digests(peer, time.monotonic()))
        if digests:
            self._send(peer, ("Have", digests))

    def _on_have(self, peer, session, message):
        now = time.monotonic()
        for d in parse_digests(message.value):
            for c in counters(d):
                ident = d.origin + struct.pack(">Q", c)
                if ident not in self.seen and ident not in self.wanted:
                    self.wanted[ident] = (Request(now - d.age / 1e4 + RTT + SLACK), peer)

    def _want_missing(self, now):
        """Q10."""
        for ident, (request, peer) in list(self.wanted.items()):
            if ident in self.seen or not peer.linked:
                del self.wanted[ident]
            elif now >= request.due and ident not in self.assemblies:
                if request.again(now, (2 * RTT + SLACK) * 2**request.tries):
                    self.wants += 1
                    self._send(peer, ("Want", ident + struct.pack(">II", 0, ALL)))
                else:
                    del self.wanted[ident]

    def _on_want(self, peer, session, message):
        """Q11."""
        for i in range(0, len(message.value), 24):
            ident, (start, end) = message.value[i : i + 16], struct.unpack(">II", message.value[i + 16 : i + 24])
            if ident in self.kept:
                self._send_broadcast(peer, ident, 0, self.kept[ident][2], start, end)

    def _on_report(self, peer, session, message):
        self.reports[peer.id] = message.value

    def _on_prune(self, peer, session, message):
        for i in range(0, len(message.value), 9):
            peer.pruned.add(message.value[i : i + 8])

    def _on_graft(self, peer, session, message):
        for i in range(0, len(message.value), 9):
            peer.pruned.discard(message.value[i : i + 8])

    def _on_cast(self, peer, session, message):
        delay, data = message.value
        self._deliver(peer, message.id, delay, data)

    def _on_frame(self, peer, session, message):
        frame = message.value
        if 0 < frame.len <= MESSAGE and message.id not in self.seen:
            assembly = self.assemblies.setdefault(message.id, Assembly(frame.len))
            if len(assembly.data) == frame.len and assembly.add(frame.idx, frame.data):
                del self.assemblies[message.id]
                self._deliver(peer, message.id, 0, bytes(assembly.data))
        peer.report_due, peer.report_of = True, session

    def _deliver(self, peer, ident, delay, data):
        if ident in self.seen:
            return
        self.seen.add(ident)
        self.kept[ident] = (time.monotonic(), peer, data)
        self.broadcasts.append(Broadcast(ident, data))
        for other in self._links():
            if other is not peer and ident[:8] not in other.pruned:
                self._send_broadcast(other, ident, min(delay + 1, 65535), data)

    def _count(self, peer, session, size):
        peer.unreported += size
        if peer.unreported >= REPORT_BYTES:
            peer.report_due, peer.report_of = True, session

    def _report(self, peer, now):
        """T1."""
        session = peer.report_of
        peer.unreported, peer.report_due, peer.reported = 0, False, now
        delay = int((now - session.highest_at) * 1e6)
        value = [session.highest, session.lowest_missing(), session.bytes, min(delay, (1 << 32) - 1)]
        self._send(peer, ("Report", value), session=session)

    # Direct messages: what a node without application state has to say to an exchange (B3, B5).

    def _list(self):
        """B5 with neither bit 0 and the same versions: the own entry."""
        return bytes([wire.ALIVE]) + wire.pack(wire.encode_entry(self.entry))

    def _push_list(self, peer):
        push, content = crypto.random_uuid(4), self._list()
        self._seal(peer, self._message("Direct", [6, len(content), 0, content], push))
        return push

    def _on_direct(self, peer, session, message):
        use, total, offset, data = message.value
        other = message.id[:15] + bytes([message.id[15] ^ 1])
        if use in (2, 4):
            self._seal(peer, self._message("Direct", [use + 1, 0, 0, b""], other))
        elif use in (6, 7) and len(data) == total:
            self._send(peer, ("DirectAck", [message.id, total, total]))
            if use == 7:
                self.lists.add(other)
                return
            content = self._list()
            self._seal(peer, self._message("Direct", [7, len(content), 0, content], other))

    # Members.

    def _on_members(self, peer, session, message):
        news = [e for e in message.value if self._take(peer, e)]
        for other in self._links():
            if news and other is not peer:
                self._send(other, ("Members", news))

    def _on_syncmembers(self, peer, session, message):
        for e in message.value:
            self._take(peer, e)

    def _take(self, peer, e):
        """M2 and M5. Returns whether the entry was news."""
        if e.id == self.id:
            self._refute(e)
            return False
        known = self.members.get(e.id)
        if e.state != wire.ALIVE:
            return known is not None and self._accuse(known, e)
        if known is not None and known.incarnation >= e.incarnation:
            return False
        if known is not None and known.state in (wire.SUSPECT, wire.DEAD) and e.refuted < known.incarnation:
            return False
        self.members[e.id] = Member(e)
        return True

    def _accuse(self, known, e):
        if e.state == wire.LEFT and not crypto.departure_of(e.id, e.origin):
            return False  # an accusation; this node accuses nobody
        stale = e.state != wire.LEFT and e.incarnation <= known.entry.refuted
        if stale or (e.incarnation, e.state) <= (known.incarnation, known.state):
            return False
        known.state, known.incarnation = e.state, e.incarnation
        return True

    def _refute(self, e):
        own = self.entry
        accused = e.state != wire.ALIVE and e.incarnation > own.refuted
        differs = e.state == wire.ALIVE and e.incarnation == own.incarnation and e != own
        if self.left or not (accused or differs or e.incarnation > own.incarnation):
            return
        new = secrets.randbelow(1024) + max(own.incarnation + 1, int(time.time() * 1000), e.incarnation + 1)
        self.entry = own._replace(incarnation=new, refuted=max(e.incarnation, own.incarnation))
        self.members[self.id] = Member(self.entry)
        for peer in self._links():
            self._send(peer, ("Members", [self.entry]))

    def live(self):
        """The alive entries of all live members, by id."""
        return {i: m.entry for i, m in self.members.items() if m.live}

    def names(self):
        return sorted(e.name for e in self.live().values())

    def _root(self, salt):
        return set_hash(salt, self.live().values())

    def equals(self, peer):
        """Whether the peer's last root is that of the same members."""
        return peer.root[0] == self._root(peer.root[4])

    def _buckets(self, bits, salt):
        buckets = [[] for _ in range(1 << bits)]
        for ident, e in self.live().items():
            buckets[id_hash(ident) >> (64 - bits)].append(e)
        return [set_hash(salt, b) for b in buckets]

    def _sync_root(self, peer):
        heard = int((time.monotonic() - peer.heard) * 1000)
        soon = int(self.heartbeat * 1000)
        return ("SyncRoot", [self._root(self.salt), len(self.live()), min(heard, (1 << 32) - 1), soon, self.salt])

    def _compare(self, peer):
        """Y3, for fewer than 1,024 members."""
        n = max(len(self.live()), peer.root[1] if peer.root else 0)
        bits = 0 if n < 8 else (n // 8).bit_length()
        hashes = b"".join(struct.pack(">Q", h) for h in self._buckets(bits, self.salt))
        self._send(peer, ("SyncBuckets", [bits, 0, hashes, self.salt]))

    def _in_buckets(self, bits, buckets):
        return [e for ident, e in self.live().items() if id_hash(ident) >> (64 - bits) in buckets]

    def _on_syncbuckets(self, peer, session, message):
        """Y4."""
        bits, first, hashes, salt = message.value
        if bits > BUCKETS or first + len(hashes) // 8 > 1 << bits:
            return
        own, differ, wanted = self._buckets(bits, salt), set(), b""
        for i in range(len(hashes) // 8):
            theirs = int.from_bytes(hashes[8 * i : 8 * i + 8], "big")
            if theirs != own[first + i]:
                differ.add(first + i)
                if theirs:
                    wanted += struct.pack(">I", first + i)
        if differ:
            self._send_entries(peer, self._in_buckets(bits, differ))
            self._send(peer, ("SyncWant", [bits, wanted]))
        self._send(peer, self._sync_root(peer))

    def _on_syncwant(self, peer, session, message):
        bits, buckets = message.value
        if bits <= BUCKETS:
            wanted = {int.from_bytes(buckets[i : i + 4], "big") for i in range(0, len(buckets), 4)}
            self._send_entries(peer, self._in_buckets(bits, wanted))

    def _send_entries(self, peer, entries):
        for i in range(0, len(entries), 4):
            self._send(peer, ("SyncMembers", entries[i : i + 4]))

    def _on_syncroot(self, peer, session, message):
        peer.root = message.value

    # Links and timers.

    def _subscribe(self, peer):
        """G1."""
        peer.pruned.clear()
        self._send(peer, ("Members", [self.entry]), ("PeerRequest", ("StartSubscription", None)))

    def _beat(self, peer):
        """G6."""
        self._send(peer, ("PeerRequest", ("Heartbeat", None)), self._sync_root(peer))
        self._send_digests(peer)

    def _timers(self):
        now = time.monotonic()
        for attempt in self.attempts:
            if now >= attempt.due:
                self._repeat(attempt)
        for peer in self.peers.values():
            if peer.report_due and now >= peer.reported + REPORT_PAUSE:
                self._report(peer, now)
            for session in peer.sessions:
                self._ask_missing(peer, session, now)
        self._want_missing(now)
        self._step_probes(now)
        self.sent_log = {k: v for k, v in self.sent_log.items() if now - v[0] < REMEMBERED}
        self.kept = {k: v for k, v in self.kept.items() if now - v[0] < REMEMBERED}
        if now >= self.next_heartbeat:
            self.next_heartbeat = now + self.heartbeat * random.uniform(0.95, 1.05)
            for peer in self._links():
                self._beat(peer)

"""The node of this directory and `gwyh agent`, which is a Go node, on loopback.

GWYH names the program; without it, it is built.
"""

import base64
import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

import crypto
import crypto
import wire
from node import Member, Node, encode_addr

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KEY = "a key for both languages"
SECONDS = 10.0  # within which whatever is awaited has to happen


def setUpModule():
    global gwyh, scratch
    scratch = tempfile.TemporaryDirectory()
    gwyh = os.environ.get("GWYH")
    if not gwyh:
        gwyh = os.path.join(scratch.name, "gwyh")
        subprocess.run(["go", "build", "-o", gwyh, "."], cwd=ROOT / "cmd" / "gwyh", check=True)


def tearDownModule():
    scratch.cleanup()


class Agent:
    """A running agent. Its ports are free ones that the system chose; its log names them."""

    def __init__(self, name, *flags):
        self.log_path = os.path.join(scratch.name, f"{name}-{time.monotonic_ns()}.log")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                [gwyh, "agent", "-name", name, "-bind", "127.0.0.1:0", "-http", "127.0.0.1:0", "-profile", "local"]
                + ["-log-level", "debug", *flags],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "GWYH_KEY": "text:" + KEY},
            )
        self.addr, self.http = self._address("addr"), "%s:%d" % self._address("http")

    def _address(self, key):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(rf" {key}=(127\.0\.0\.1):(\d+)", self.log())
            if found:
                return found[1], int(found[2])
            time.sleep(0.01)
        raise AssertionError(f"the agent does not say its {key}:\n{self.log()}")

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def start(self, command, *args):
        path = os.path.join(scratch.name, f"{command}-{time.monotonic_ns()}")
        with open(path, "w") as out:  # a file of its own: seek would move the place at which the program writes
            process = subprocess.Popen([gwyh, command, "-http", self.http, *args], stdout=out, stderr=subprocess.STDOUT)
        return process, open(path)


class Case(unittest.TestCase):
    flags = ()

    def setUp(self):
        self.agent = Agent("agent", *self.flags)
        self.addCleanup(self.agent.stop)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before and hasattr(self, "agent"):
            print(f"--- log of the agent of {self.id()}:\n{self.agent.log()[-4000:]}")

    def node(self, name="python", **options):
        node = Node(name, options.pop("key", KEY).encode(), heartbeat=0.2, **options)
        self.addCleanup(node.close)
        return node

    def member(self, **options):
        """A node that has joined the agent."""
        node = self.node(**options)
        self.assertTrue(node.join(self.agent.addr, SECONDS), f"the Join failed; rejected: {node.rejected}")
        return node

    def command(self, node, command, *args):
        """Runs a command of the agent while node takes part."""
        process, out = self.agent.start(command, *args)
        with out:
            ended = node.run(lambda: process.poll() is not None, SECONDS)
            if not ended:
                process.kill()
            process.wait()
            out.seek(0)
            said = out.read()
        self.assertTrue(ended, f"gwyh {command} does not end")
        self.assertEqual(process.returncode, 0, f"gwyh {command}: {said}")
        return said

    def together(self, a, b, until, timeout):
        """Like run, for two nodes."""
        end = time.monotonic() + timeout
        while not until() and time.monotonic() < end:
            a.run(until, 0.01)
            b.run(until, 0.01)
        return until()

    def members(self, node):
        return {m["name"]: m for m in json.loads(self.command(node, "members", "-json"))}

    def events(self, node):
        """Follows `gwyh events`. Returns a function that returns the events so far."""
        process, out = self.agent.start("events", "-json")
        self.addCleanup(out.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def read():
            out.seek(0)
            return [json.loads(line) for line in out.read().splitlines(keepends=True) if line.endswith("\n")]

        # The command has begun to listen when it shows one of these.
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not read():
            node.broadcast(b"is anybody listening?")
            node.run(read, 0.2)
        self.assertTrue(read(), "gwyh events shows nothing")
        return read


def payloads(events):
    return [base64.b64decode(e["message"]["payload"]) for e in events if e["type"] == "message"]


class Membership(Case):
    def test_node_is_a_member_with_its_name_and_address(self):
        node = self.member()
        member = self.members(node)["python"]
        self.assertEqual((member["state"], member["addr"]), ("alive", "%s:%d" % node.addr))

    def test_node_knows_the_members_that_the_agent_knows(self):
        other = Agent("other", "-join", "%s:%d" % self.agent.addr)
        self.addCleanup(other.stop)
        node = self.member()
        self.assertTrue(node.run(lambda: node.names() == ["agent", "other", "python"], SECONDS), node.names())

    def test_tables_are_equal_after_the_join(self):
        node = self.member()
        peer = next(iter(node.peers.values()))
        self.assertTrue(node.equals(peer))
        self.assertEqual(peer.root[1], 2)

    def test_agent_sends_the_members_of_a_bucket_that_differs(self):
        node = self.member()
        peer = next(iter(node.peers.values()))
        ghosts = [
            node.entry._replace(id=crypto.random_uuid(8), name=f"ghost-{i}", addr=encode_addr(("127.0.0.2", 1000 + i)))
            for i in range(20)
        ]
        for e in ghosts:
            node.members[e.id] = Member(e)
            node._send(peer, ("Members", [e]))
        equal = lambda: node.equals(peer)
        self.assertTrue(node.run(equal, SECONDS), peer.root)
        bits, bucket, answers = 2, 3, []
        node._on_syncmembers = lambda peer, session, message: answers.extend(message.value)
        hashes = node._buckets(bits, node.salt)
        hashes[bucket] ^= 1
        peer.root = (0, 0, 0, 0, 0)
        node._send(peer, ("SyncBuckets", [bits, 0, b"".join(h.to_bytes(8, "big") for h in hashes), node.salt]))
        self.assertTrue(node.run(equal, SECONDS), peer.root)
        self.assertEqual({e.id for e in answers}, {e.id for e in node._in_buckets(bits, {bucket})})

    def test_node_hears_heartbeats(self):
        node = self.member()
        self.assertTrue(node.run(lambda: node.heartbeats >= 3, SECONDS), node.heartbeats)

    def test_agent_joins_the_node(self):
        node = self.node()
        self.command(node, "join", "%s:%d" % node.addr)
        self.assertIn("python", self.members(node))

    def test_node_that_leaves_has_left_and_not_failed(self):
        node = self.member()
        read = self.events(node)
        self.assertTrue(node.leave(), "the agent does not confirm the leave")
        self.assertTrue(node.run(lambda: any(e["type"].startswith("member-") for e in read()), SECONDS), read())
        self.assertEqual([e["type"] for e in read() if e["type"].startswith("member-")], ["member-leave"])

    def test_node_that_falls_silent_fails(self):
        node = self.member()
        read = self.events(node)
        end = time.monotonic() + 3 * SECONDS
        while time.monotonic() < end and not any(e["type"].startswith("member-") for e in read()):
            time.sleep(0.05)
        self.assertEqual([e["type"] for e in read() if e["type"].startswith("member-")], ["member-failed"])

    def test_agent_refutes_a_suspicion(self):
        node = self.member()
        peer = next(iter(node.peers.values()))
        before = node.members[peer.id].incarnation
        node._send(peer, ("Members", [wire.Other(wire.SUSPECT, peer.id, before, node.id)]))
        refuted = node.run(lambda: node.members[peer.id].entry.refuted >= before, SECONDS)
        self.assertTrue(refuted, node.members[peer.id].entry)

    def test_node_refutes_a_suspicion(self):
        node = self.member()
        peer = next(iter(node.peers.values()))
        accused = node.entry.incarnation
        node._send(peer, ("Members", [wire.Other(wire.SUSPECT, node.id, accused, crypto.random_uuid(8))]))
        node.run(lambda: node.entry.refuted, SECONDS)
        self.assertGreaterEqual(node.entry.refuted, accused)


class Heartbeats(Case):
    flags = ("-profile", "lan")  # a busy machine delays no heartbeat so long that it counts

    def test_node_that_sends_heartbeats_stays_a_member(self):
        node = self.member()
        own = node.entry
        node.run(lambda: False, 4.0)
        self.assertEqual(self.members(node)["python"]["state"], "alive")
        self.assertEqual(node.entry, own, "the node had to refute something")


class Probes(Case):
    def test_node_answers_pings(self):
        node = self.member()
        self.assertRegex(self.command(node, "rtt", "python"), r"python .*\d(µs|ms)")

    def test_agent_answers_pings(self):
        node = self.member()
        self.assertTrue(node.ping(next(iter(node.peers.values())), SECONDS))


class Broadcasts(Case):
    def from_agent(self, payload):
        node = self.member()
        self.command(node, "broadcast", "deploy", payload)
        self.assertTrue(node.run(lambda: node.broadcasts, SECONDS), "the broadcast does not arrive")
        node.run(lambda: False, 0.5)
        self.assertEqual(len(node.broadcasts), 1)
        self.assertTrue(node.broadcasts[0].data.endswith(payload.encode()))

    def test_node_receives_a_small_broadcast_once(self):
        self.from_agent("v7")

    def test_node_receives_a_large_broadcast_once(self):
        self.from_agent("0123456789" * 5000)

    def from_node(self, payload):
        node = self.member()
        read = self.events(node)
        node.broadcast(payload)
        self.assertTrue(node.run(lambda: payload in payloads(read()), SECONDS), "the agent does not show it")
        node.run(lambda: False, 0.5)
        self.assertEqual(payloads(read()).count(payload), 1)

    def test_agent_receives_a_small_broadcast_once(self):
        self.from_node("hello from Python, ä".encode())

    def test_agent_receives_a_large_broadcast_once(self):
        self.from_node(bytes(range(256)) * 40)

    def test_agent_reports_what_arrived(self):
        node = self.member()
        node.broadcast(bytes(5000))
        session = next(iter(node.peers.values())).sessions[-1]
        newest = session.sent
        self.assertTrue(node.run(lambda: any(r[0] >= newest for r in node.reports.values()), SECONDS), node.reports)
        self.assertTrue(all(r[0] == r[1] - 1 for r in node.reports.values()), "something is missing")

    def test_agent_delivers_a_datagram_that_arrives_twice_once(self):
        node = self.member()
        read = self.events(node)
        peer = next(iter(node.peers.values()))
        node.made += 1
        ident = node.tag + node.made.to_bytes(8, "big")
        packet = peer.sessions[-1].seal(node._message("Cast", [0, b"twice"], ident))
        node._write(packet, peer.addr)
        node._write(packet, peer.addr)
        node.run(lambda: b"twice" in payloads(read()), SECONDS)
        node.run(lambda: False, 0.3)
        self.assertEqual(payloads(read()).count(b"twice"), 1)


class Repair(Case):
    """Losses: a datagram that does not arrive is requested by packet number, a message by its id."""

    LARGE = "0123456789" * 10_000

    def every(self, n):
        """Returns a function that loses every nth box."""
        count = iter(range(1 << 30))
        return lambda data, *_: b"\xa1B" in data[:40] and next(count) % n == n - 1

    def test_lost_packets_are_retransmitted_by_the_agent(self):
        node = self.member()
        node.lost = self.every(10)
        self.command(node, "broadcast", "deploy", self.LARGE)
        self.assertTrue(node.run(lambda: node.broadcasts, SECONDS), "the broadcast does not arrive")
        self.assertTrue(node.broadcasts[0].data.endswith(self.LARGE.encode()))
        self.assertGreater(node.naks, 0)

    def test_lost_packets_are_requested_by_the_agent(self):
        node = self.member()
        read = self.events(node)
        node.unsent = self.every(10)
        node.broadcast(self.LARGE.encode())
        arrived = node.run(lambda: self.LARGE.encode() in payloads(read()), SECONDS)
        self.assertTrue(arrived, "the agent does not show it")
        self.assertGreater(node.served, 0)

    def test_last_packet_that_is_lost_is_retransmitted(self):
        node = self.member()
        read = self.events(node)
        node.unsent = lambda data: True
        node.broadcast(b"the only packet")
        node.unsent = lambda data: False
        self.assertTrue(node.run(lambda: b"the only packet" in payloads(read()), SECONDS), "the agent does not show it")
        self.assertEqual(payloads(read()).count(b"the only packet"), 1)

    def test_agent_requests_what_a_digest_announces(self):
        node = self.member()
        read = self.events(node)
        node.announce(b"small"), node.announce(self.LARGE.encode())
        both = {b"small", self.LARGE.encode()}
        self.assertTrue(node.run(lambda: both <= set(payloads(read())), SECONDS), "the agent does not show both")

    def test_agent_serves_what_its_digests_announce(self):
        origin, node = self.member(name="origin"), self.member()
        peer = node.peers[next(iter(origin.peers))]
        for i in range(20):
            origin.broadcast(b"%d" % i)
            self.together(origin, node, lambda: False, 0.02)
            if i == 0:  # a node knows an origin by its first message
                node.prune(peer, origin.tag)
                self.together(origin, node, lambda: False, 0.1)
        everything = lambda: {b.data for b in node.broadcasts} == {b"%d" % i for i in range(20)}
        self.assertTrue(self.together(origin, node, everything, SECONDS), node.broadcasts)
        self.assertGreater(node.wants, 0)


class Helpers(Case):
    """Indirect probes (V3)."""

    flags = ("-profile", "lan")

    def test_agent_probes_a_node_for_another(self):
        target, asker = self.member(name="target"), self.member(name="asker")
        asker.probe_by(next(iter(asker.peers.values())), target.id, target.addr)
        self.assertTrue(self.together(target, asker, lambda: asker.results, SECONDS))
        self.assertEqual(asker.results, [[1, 1]])

    def test_agent_reports_a_node_that_does_not_answer(self):
        asker = self.member(name="asker")
        asker.probe_by(next(iter(asker.peers.values())), crypto.random_uuid(8), ("127.0.0.2", 9))
        self.assertTrue(asker.run(lambda: asker.results, SECONDS))
        self.assertEqual(asker.results, [[1, 0]])

    def test_node_whose_link_with_the_agent_is_dead_stays_a_member(self):
        target, helper = self.member(name="target"), self.member(name="helper")
        probed = []
        answer = helper._on_probefor
        helper._on_probefor = lambda peer, session, message: (probed.append(message.value), answer(peer, session, message))
        agent = self.agent.addr
        target.lost = lambda data, source: source == agent
        write = target._write
        target._write = lambda data, addr: None if addr == agent else write(data, addr)
        self.assertTrue(self.together(target, helper, lambda: probed, 2 * SECONDS), "nobody is asked")
        self.together(target, helper, lambda: False, 3.0)
        self.assertEqual(probed[0][1], target.id)
        self.assertEqual(self.members(helper)["target"]["state"], "alive")


class Keys(Case):
    def test_agent_does_not_answer_another_key(self):
        node = self.node(key="the key of another cluster")
        self.assertFalse(node.join(self.agent.addr, 1.0))
        self.assertEqual((node.peers, node.rejected), ({}, []))

    def test_agent_does_not_answer_another_label(self):
        node = self.node(label="elsewhere")
        self.assertFalse(node.join(self.agent.addr, 1.0))
        self.assertEqual((node.peers, node.rejected), ({}, []))


class Ids(Case):
    """A node that has the key of the cluster acts under the id of a member (X6)."""

    def impostor(self, own_claim):
        member, node = self.member(), self.node("impostor")
        node.id, node.entry = member.id, member.entry
        if not own_claim:
            node.claim = member.claim
        return member, node

    def begins(self, own_claim):
        member, node = self.impostor(own_claim)
        node.begin(self.agent.addr)
        self.together(member, node, node.confirmed, 1.0)
        self.refused(member, node, 'id not proven: it shows that of "python"')

    def answers(self, own_claim, reason):
        member, node = self.impostor(own_claim)
        process, out = self.agent.start("join", "%s:%d" % node.addr)
        with out:
            self.together(member, node, lambda: process.poll() is not None, SECONDS)
            process.kill()
            self.assertNotEqual(process.wait(), 0)
        self.refused(member, node, reason)

    def refused(self, member, node, reason):
        self.assertFalse(node.confirmed(), "the agent has a session with the impostor")
        self.assertIn("handshake with %s:%d refused: %s" % (*node.addr, reason), self.agent.log())
        found = self.members(member)["python"]
        self.assertEqual((found["state"], found["addr"]), ("alive", "%s:%d" % member.addr))

    def test_agent_is_not_joined_with_another_claim(self):
        self.begins(own_claim=True)

    def test_agent_is_not_joined_with_the_claim_of_the_member(self):
        self.begins(own_claim=False)

    def test_agent_does_not_join_a_node_with_another_claim(self):
        self.answers(True, 'id not proven: it shows that of "python"')

    def test_agent_does_not_join_a_node_with_the_claim_of_the_member(self):
        self.answers(False, "bad binding")


class Labels(Case):
    flags = ("-label", "here")

    def test_node_with_the_label_is_a_member(self):
        self.assertIn("python", self.members(self.member(label="here")))


class MemberLists(Case):
    flags = ("-allow", "127.0.0.0/8")

    def test_node_joins_an_agent_that_judges_members(self):
        node = self.member()
        self.assertEqual(next(iter(node.peers.values())).block.capabilities, 2)
        self.assertEqual(len(node.lists), 1)
        self.assertIn("python", self.members(node))

    def test_agent_that_judges_members_joins_the_node(self):
        node = self.node()
        self.command(node, "join", "%s:%d" % node.addr)
        self.assertIn("python", self.members(node))


if __name__ == "__main__":
    unittest.main()

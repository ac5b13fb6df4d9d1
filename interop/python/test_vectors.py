"""The recorded vectors of gwyh 0.1: every packet, message, hash and conversation is read, and written again."""

import hashlib
import json
import os
import pathlib
import unittest

from nacl.bindings import crypto_box, crypto_scalarmult_base

import crypto
import node
import wire

TESTDATA = pathlib.Path(os.environ.get("GWYH_VECTORS") or pathlib.Path(__file__).parent.parent.parent / "testdata")


def load(name):
    return json.loads((TESTDATA / name).read_text())


class Hashes(unittest.TestCase):
    def test_hash_of_an_id_is_the_one_of_the_document(self):
        self.assertEqual(node.id_hash(bytes.fromhex("000102030405860788090a0b0c0d0e0f")), 0x682BF23C7FC410EA)  # Y2


class Vectors(unittest.TestCase):
    def setUp(self):
        self.vectors = load("gwyh-0.1.json")

    def every(self, prefix):
        found = [v for v in self.vectors if v["name"].startswith(prefix)]
        self.assertTrue(found, prefix)
        return [(v["name"], v, v["inputs"], bytes.fromhex(v.get("hex", ""))) for v in found]

    def test_packets_are_written_as_they_were_read(self):
        for name, _, _, data in self.every("packet_"):
            with self.subTest(name):
                packet, size = wire.parse_packet(data)
                self.assertEqual(size, len(data))
                self.assertEqual(wire.encode_packet(packet, bin_box=False), data)

    def test_messages_are_written_as_they_were_read(self):
        for name, v, _, data in self.every("message_"):
            with self.subTest(name):
                if not data:
                    continue
                message, size = wire.parse_message(data)
                self.assertEqual(size, len(data))
                self.assertEqual(wire.encode_message(message, legacy=True), data)

    def test_large_broadcasts_have_the_recorded_hash(self):
        for name, v, inputs, _ in self.every("message_broadcast_"):
            with self.subTest(name):
                if "sha256" not in v:
                    continue
                data = bytes(i & 0xFF for i in range(int(v["name"].rsplit("_", 1)[1])))
                ident = bytes.fromhex(inputs["message.id"].replace("-", ""))
                encoded = wire.encode_message(wire.Message(ident, "Broadcast", data), legacy=True)
                self.assertEqual(len(encoded), v["len"])
                self.assertEqual(hashlib.sha256(encoded).hexdigest(), v["sha256"])

    def test_keys_are_hashed_as_recorded(self):
        for name, _, inputs, data in self.every("psk_hash_"):
            with self.subTest(name):
                self.assertEqual(crypto.ring_key(inputs["psk_utf8"].encode()), data)

    def test_hmacs_are_as_recorded(self):
        for name, _, inputs, data in self.every("hmac_"):
            with self.subTest(name):
                k = crypto.ring_key(inputs["psk_utf8"].encode())
                message = bytes.fromhex(inputs["message"])
                self.assertEqual(crypto.hmac_sum(k, message, int(inputs["timestamp_hashed_string"])), data)

    def test_timestamps_of_hmacs_are_read(self):
        for name, _, inputs, _ in self.every("hmac_"):
            with self.subTest(name):
                if "timestamp_rfc3339" in inputs:
                    self.assertEqual(wire.nanoseconds(inputs["timestamp_rfc3339"]), int(inputs["timestamp_hashed_string"]))

    def test_responses_are_as_recorded(self):
        for name, _, inputs, data in self.every("response_"):
            with self.subTest(name):
                challenge, pk, ident = (bytes.fromhex(inputs[n].replace("-", "")) for n in ("challenge", "public_key", "id"))
                self.assertEqual(crypto.legacy_response(inputs["psk_utf8"].encode(), challenge, pk, ident), data)

    def test_public_keys_belong_to_their_secret_keys(self):
        for name, v, inputs, data in self.every("box_"):
            with self.subTest(name):
                self.assertEqual(crypto_scalarmult_base(bytes.fromhex(inputs["secret_key"])), data)

    def test_boxes_open(self):
        for name, _, inputs, data in self.every("packet_box_"):
            with self.subTest(name):
                recipient, nonce, plaintext = (bytes.fromhex(inputs[n]) for n in ("recipient_public_key", "nonce", "plaintext"))
                sender = bytes.fromhex(inputs["sender_secret_key"])
                packet, _ = wire.parse_packet(data)
                self.assertEqual(packet.content.nonce, nonce)
                # The key of a pair is the same both ways, so the sender opens its own box.
                self.assertEqual(crypto.open_legacy(packet.content, recipient, sender), plaintext)
                self.assertEqual(packet.content.tag + packet.content.data, crypto_box(plaintext, nonce, recipient, sender))

    def test_timestamps_are_written_as_they_were_read(self):
        for name, _, inputs, data in self.every("datetime_"):
            with self.subTest(name):
                written, _ = wire.unpack(data)
                ns = wire.nanoseconds(written)
                # A leap second has more than a second's worth of nanoseconds in the original.
                self.assertEqual(ns, int(inputs["secs"]) * 10**9 + int(inputs["nanos"]))
                if ":60" not in written:
                    self.assertEqual(wire.rfc3339(ns), written)

    def test_other_forms_of_timestamps_are_read(self):
        want = wire.nanoseconds("2026-11-29T15:00:00.123456789Z")
        for form in (
            "2026-11-29t15:00:00.123456789z", "2026-11-29 16:30:00.123456789+01:30",
            "2026-11-29T14:59:60.123456789Z", "2026-11-29T15:00:00.1234567899999Z",
            "+002026-11-29T15:00:00.123456789Z",
        ):  # fmt: skip
            with self.subTest(form):
                self.assertEqual(wire.nanoseconds(form), want)


class Transcripts(unittest.TestCase):
    """Conversations of a probe with a node of gwyh 0.1."""

    def setUp(self):
        self.transcripts = load("transcripts.json")

    def datagrams(self):
        for t in self.transcripts:
            for i, d in enumerate(t["datagrams"]):
                yield f"{t['name']}, datagram {i}", t, d, bytes.fromhex(d["hex"]), d.get("flags", [])

    def test_every_datagram_is_read(self):
        for name, _, _, data, flags in self.datagrams():
            with self.subTest(name):
                packet, size = wire.parse_packet(data)
                self.assertEqual(len(data) == size, "trailing_outer" not in flags)
                if not flags:
                    self.assertEqual(wire.encode_packet(packet, bin_box=False), data)

    def test_hellos_verify_unless_their_key_is_wrong(self):
        for name, t, d, data, flags in self.datagrams():
            with self.subTest(name):
                packet, _ = wire.parse_packet(data)
                if packet.kind != "H" or packet.content.step != "Hello":
                    continue
                keys = [crypto.ring_key(p.encode()) for p in t["psk" if d["from"] == "probe" else "probe_psk"]]
                hello = packet.content.fields
                if t["psk"] == t["probe_psk"] or "wrong_psk" not in flags and "the common key" in t["psk"]:
                    self.assertEqual(len(crypto.verify(hello.hmacs, keys, hello.timestamp)), 2)
                else:
                    with self.assertRaises(crypto.Rejected):
                        crypto.verify(hello.hmacs, keys, hello.timestamp)

    def test_okbosses_answer_the_challenge_unless_they_are_wrong(self):
        for t in self.transcripts:
            ohais = {}
            for i, d in enumerate(t["datagrams"]):
                packet, _ = wire.parse_packet(bytes.fromhex(d["hex"]))
                if packet.kind != "H":
                    continue
                if packet.content.step == "Ohai":
                    ohais[packet.content.id] = packet.content.fields
                elif packet.content.step == "OkBoss":
                    with self.subTest(t["name"], datagram=i):
                        ohai = ohais[packet.content.id]
                        right = [
                            crypto.legacy_response(p.encode(), ohai.challenge, ohai.pk, packet.content.id)
                            for p in t["probe_psk"]
                        ]
                        answered = any(r in right for r in packet.content.fields.responses)
                        self.assertEqual(answered, "bad_response" not in d.get("flags", []))

    def test_boxes_open_and_hold_messages(self):
        opened = 0
        for t in self.transcripts:
            theirs = None
            for i, d in enumerate(t["datagrams"]):
                packet, _ = wire.parse_packet(bytes.fromhex(d["hex"]))
                if packet.kind == "H":
                    if d["from"] != "probe" and packet.content.step in ("Hello", "Ohai"):
                        theirs = packet.content.fields.pk
                    continue
                with self.subTest(t["name"], datagram=i):
                    flags, secret = d.get("flags", []), bytes.fromhex(t["probe_secret_key"])
                    if "tampered" in flags:
                        continue
                    plaintext = crypto.open_legacy(packet.content, theirs, secret)
                    self.assertEqual(plaintext.hex(), d["decrypted_hex"])
                    message, size = wire.parse_message(plaintext)
                    self.assertIn(message.name, wire.BODIES)
                    if not flags and d["from"] != "probe":
                        self.assertEqual(wire.encode_message(message, legacy=True), plaintext)
                    opened += 1
        self.assertGreater(opened, 100)


if __name__ == "__main__":
    unittest.main()

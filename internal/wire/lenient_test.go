package wire

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

var (
	id1 = counting(17)[1:]
	id2 = counting(18)[2:]
	k24 = counting(224)[200:]
	k32 = counting(132)[100:]
	k64 = counting(164)[100:]
	k69 = counting(200)[131:]
)

// variants returns one value in several forms.
func variants(forms ...[]byte) [][]byte { return forms }

func boxForms() [][]byte {
	return variants(
		seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2), ints(k69)), bin(k24)))),
		seq(wide(7), wideBin(id1), dict(str("B"), seq(seq(null, ints(id2), bin(k69)), ints(k24)))),
		seq(num(7), bin(id1), dict(str("B"), seq(seq(bin(k32), wideInts(id2), wideInts(k69)), wideInts(k24)))),
		dict(str("later"), oddValues, str("body"),
			dict(str("B"), seq(dict(str("data"), wideBin(k69), str("x"), oddValues, str("tag"), bin(id2)), bin(k24))),
			str("id"), bin(id1), str("y"), null, str("s"), num(7)),
		append(seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2), ints(k69)), bin(k24)))), 0xc1, 0xff),
	)
}

func TestBoxIsReadInEveryFormGwyhTakes(t *testing.T) {
	want := Packet{Seq: 7, Sender: NodeID(id1), Kind: PacketBox}
	want.Box = Box{Nonce: [24]byte(k24), Tag: [16]byte(id2), Data: k69}
	for i, b := range boxForms() {
		p := parsePacket(t, b)
		p.Box.Encoding = Arrays
		if !reflect.DeepEqual(p, want) {
			t.Errorf("form %d: %+v", i, p)
		}
	}
}

func helloForms() [][]byte {
	stamp := str("2023-11-14T22:13:20Z")
	hmacs := seq(seq(bin(k64), ints(k69)))
	return variants(
		seq(bin(id1), dict(str("Hello"), seq(bin(k32), str("z"), hmacs, stamp))),
		seq(bin(id1), dict(str("Hello"), seq(ints(k32), str("z"), seq(seq(ints(k64), bin(k69))), stamp))),
		seq(bin(id1), dict(str("Hello"), seq(wideInts(k32), append([]byte{tagStr32, 0, 0, 0, 1}, 'z'),
			seq(dict(str("message"), wideInts(k69), str("odd"), oddValues, str("hmac"), wideInts(k64))), stamp))),
		dict(str("step"), dict(str("Hello"), dict(str("timestamp"), stamp, str("hmacs"), hmacs, str("odd"), oddValues,
			str("pk"), bin(k32), str("zone"), str("z"))), str("id"), bin(id1)),
		append(seq(bin(id1), dict(str("Hello"), seq(bin(k32), str("z"), hmacs, stamp))), 0xc1),
	)
}

// PROTOCOL.md W6.
func TestHelloIsReadInEveryFormGwyhTakes(t *testing.T) {
	want := Handshake{ID: HandshakeID(id1), Step: StepHello, PublicKey: [32]byte(k32), Zone: Zone{"z", true},
		Hmacs: []Hmac{{Sum: [64]byte(k64), Message: k69}}, Timestamp: time.Unix(1700000000, 0).UTC()}
	for i, b := range helloForms() {
		var h Handshake
		before := bytes.Clone(b)
		if err := ParseHandshake(&h, b); err != nil || !reflect.DeepEqual(h, want) {
			t.Errorf("form %d: %+v %v", i, h, err)
		}
		if !bytes.Equal(b, before) {
			t.Errorf("form %d was written to", i)
		}
	}
}

func TestOhaiAndOkBossAreReadInEveryFormGwyhTakes(t *testing.T) {
	hmacs := seq(seq(bin(k64), ints(k69)))
	ohai := Handshake{ID: HandshakeID(id1), Step: StepOhai, PublicKey: [32]byte(k32), Challenge: [69]byte(k69),
		Hmacs: []Hmac{{Sum: [64]byte(k64), Message: k69}}}
	okBoss := Handshake{ID: HandshakeID(id1), Step: StepOkBoss, Responses: [][64]byte{[64]byte(k64), [64]byte(k64)}}
	for i, c := range []struct {
		want Handshake
		step []byte
	}{
		{ohai, dict(str("Ohai"), seq(bin(k32), null, hmacs, ints(k69)))},
		{ohai, dict(str("Ohai"), seq(bin(k32), null, hmacs, wideBin(k69)))},
		{ohai, dict(str("Ohai"), dict(str("challenge"), wideInts(k69), str("hmacs"), hmacs, str("pk"), bin(k32)))},
		{okBoss, dict(str("OkBoss"), seq(seq(ints(k64), bin(k64))))},
		{okBoss, dict(str("OkBoss"), dict(str("odd"), oddValues, str("responses"), seq(wideInts(k64), ints(k64))))},
	} {
		var h Handshake
		if err := ParseHandshake(&h, seq(bin(id1), c.step)); err != nil || !reflect.DeepEqual(h, c.want) {
			t.Errorf("form %d: %+v %v", i, h, err)
		}
	}
}

func TestMessagesAreReadInEveryFormGwyhTakes(t *testing.T) {
	peer := seq(dict(str("V4"), seq(ints([]byte{1, 2, 3, 200}), num(6969))), bin(id2), null)
	odd := dict(str("zone"), null, str("odd"), oddValues, str("id"), wideBin(id2),
		str("addr"), dict(str("V4"), seq(wideInts([]byte{1, 2, 3, 200}), wide(6969))))
	noZone := dict(str("id"), bin(id2), str("addr"), dict(str("V4"), seq(bin([]byte{1, 2, 3, 200}), num(6969))))
	for name, c := range map[string]struct {
		first []byte
		same  [][]byte
	}{
		"Broadcast": {dict(str("Broadcast"), ints(k69)),
			variants(dict(str("Broadcast"), wideBin(k69)), dict(str("Broadcast"), wideInts(k69)))},
		"Frame": {dict(str("Frame"), seq(num(9), num(300), ints(k69))),
			variants(dict(str("Frame"), seq(wide(9), wide(300), bin(k69))),
				dict(str("Frame"), dict(str("data"), wideInts(k69), str("odd"), oddValues, str("idx"), num(300), str("len"), num(9))))},
		"Nak": {dict(str("Nak"), seq(num(9), num(300))),
			variants(dict(str("Nak"), seq(wide(9), wide(300))), dict(str("Nak"), dict(str("end"), num(300), str("start"), wide(9))))},
		"Peers": {dict(str("PeerRequest"), dict(str("Peers"), seq(peer, peer))),
			variants(dict(str("PeerRequest"), dict(str("Peers"), seq(odd, noZone))))},
		"PeerStatus": {dict(str("PeerRequest"), dict(str("PeerStatus"), seq(peer, str("Up")))),
			variants(dict(str("PeerRequest"), dict(str("PeerStatus"), seq(odd, str("Up")))))},
		"Heartbeat": {dict(str("PeerRequest"), str("Heartbeat")),
			variants(dict(str("PeerRequest"), append([]byte{tagStr8, 9}, "Heartbeat"...)))},
	} {
		encode := func(b []byte) []byte {
			var m Message
			rest, err := ParseMessage(&m, append(b, "rest"...))
			switch {
			case err != nil:
				t.Fatalf("%s: %v", name, err)
			case m.Kind.String() != name:
				t.Fatalf("%s: the name of the kind is %v, want %v", name, m.Kind.String(), name)
			case string(rest) != "rest":
				t.Fatalf("%s: string(rest) is %q, want %q", name, string(rest), "rest")
			}
			return encodeMessage(t, &m, Arrays)
		}
		want := encode(seq(bin(id1), c.first))
		for i, body := range c.same {
			for _, b := range variants(seq(bin(id1), body), dict(str("body"), body, str("id"), bin(id1), str("odd"), oddValues)) {
				if got := encode(b); !bytes.Equal(got, want) {
					t.Errorf("%s, form %d: %x, want %x", name, i, got, want)
				}
			}
		}
	}
}

// PROTOCOL.md P2.
func TestUnknownBodyIsSteppedOver(t *testing.T) {
	for i, body := range variants(
		str("Later"), dict(str("Later"), oddValues), dict(str("Later"), null),
		dict(str("PeerRequest"), str("Later")), dict(str("PeerRequest"), dict(str("Later"), oddValues)),
	) {
		m := Message{Kind: KindPing, Total: 1}
		rest, err := ParseMessage(&m, append(seq(bin(id1), body), "rest"...))
		switch {
		case err != nil:
			t.Errorf("body %d: %v", i, err)
		case m.Kind != KindUnknown:
			t.Errorf("body %d: the kind is %v, want %v", i, m.Kind, KindUnknown)
		case m.ID != MessageID(id1):
			t.Errorf("body %d: the id is %v, want %v", i, m.ID, MessageID(id1))
		case m.Total != 0:
			t.Errorf("body %d: the total is %v, want 0", i, m.Total)
		case string(rest) != "rest":
			t.Errorf("body %d: string(rest) is %q, want %q", i, string(rest), "rest")
		}
	}
}

// PROTOCOL.md W7.
func TestHmacsAndResponsesBeyondTheBoundAreSteppedOver(t *testing.T) {
	var hmacs, responses [][]byte
	for range 20 {
		hmacs = append(hmacs, seq(bin(k64), ints(k69)))
		responses = append(responses, ints(k64))
	}
	var h Handshake
	stamp := str("2023-11-14T22:13:20Z")
	if err := ParseHandshake(&h, seq(bin(id1), dict(str("Hello"), seq(bin(k32), null, seq(hmacs...), stamp)))); err != nil {
		t.Fatal(err)
	}
	if len(h.Hmacs) != HmacsMax || h.Timestamp.IsZero() {
		t.Errorf("%d Hmacs, timestamp %s", len(h.Hmacs), h.Timestamp)
	}
	if err := ParseHandshake(&h, seq(bin(id1), dict(str("OkBoss"), seq(seq(responses...))))); err != nil || len(h.Responses) != ResponsesMax {
		t.Errorf("%d responses, %v", len(h.Responses), err)
	}
}

// A negative signed integer must not be read as a large unsigned one.
func TestNegativeIntegersAreMalformed(t *testing.T) {
	for _, b := range [][]byte{{0xff}, {0xe0}, {0xd0, 0xff}, {0xd0, 0x80}, {0xd1, 0xff, 0xff}, {0xd2, 0x80, 0, 0, 0}, {0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		c := cursor{b: b}
		if v := c.uint(1<<64 - 1); v != 0 || c.err != ErrMalformed {
			t.Errorf("%x: %d, %v, want ErrMalformed", b, v, c.err)
		}
	}
	for _, b := range [][]byte{{0xd0, 0x7f}, {0xd3, 0, 0, 0, 0, 0, 0, 0, 0x7f}} {
		c := cursor{b: b}
		if v := c.uint(1<<64 - 1); v != 0x7f || c.err != nil {
			t.Errorf("%x: %d, %v, want 127", b, v, c.err)
		}
	}
}

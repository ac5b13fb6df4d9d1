package wire

import (
	"bytes"
	"strings"
	"testing"
)

// PROTOCOL.md W6.
func TestPacketsThatGwyhRefusesAreRefused(t *testing.T) {
	box := seq(null, bin(id2), ints(k69))
	body := dict(str("B"), seq(box, bin(k24)))
	for name, b := range map[string][]byte{
		"an element too many":           seq(num(7), bin(id1), body, null),
		"an element too few":            seq(num(7), bin(id1)),
		"a key missing":                 dict(str("s"), num(7), str("body"), body),
		"a key twice":                   dict(str("s"), num(7), str("s"), num(7), str("id"), bin(id1), str("body"), body),
		"a key that is no string":       dict(num(1), num(7), str("s"), num(7), str("id"), bin(id1), str("body"), body),
		"an id as an array":             seq(num(7), ints(id1), body),
		"an id as a string":             seq(num(7), str(string(id1)), body),
		"an id of 15 bytes":             seq(num(7), bin(id1[1:]), body),
		"a negative s":                  seq([]byte{0xff}, bin(id1), body),
		"a negative wide s":             seq(wide(1<<63), bin(id1), body),
		"an s of 33 bits":               seq(num(1<<32), bin(id1), body),
		"a float for s":                 seq([]byte{0xca, 0, 0, 0, 0}, bin(id1), body),
		"an unknown variant":            seq(num(7), bin(id1), dict(str("C"), seq(box, bin(k24)))),
		"a unit variant":                seq(num(7), bin(id1), str("B")),
		"two variants":                  seq(num(7), bin(id1), dict(str("B"), seq(box, bin(k24)), str("B"), null)),
		"nil for a body":                seq(num(7), bin(id1), null),
		"a box of four elements":        seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2), bin(k69), null), bin(k24)))),
		"a box without data":            seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2)), bin(k24)))),
		"a box without a nonce":         seq(num(7), bin(id1), dict(str("B"), seq(box))),
		"three around a box":            seq(num(7), bin(id1), dict(str("B"), seq(box, bin(k24), null))),
		"a tag of 15 bytes":             seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2[1:]), bin(k69)), bin(k24)))),
		"a tag as an array of 17":       seq(num(7), bin(id1), dict(str("B"), seq(seq(null, ints(k69[:17]), bin(k69)), bin(k24)))),
		"a nonce of 25 bytes":           seq(num(7), bin(id1), dict(str("B"), seq(box, bin(k69[:25])))),
		"a string for data":             seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2), str("data")), bin(k24)))),
		"an array with an element 256":  seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2), seq(num(256))), bin(k24)))),
		"an array with an element nil":  seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2), seq(num(1), null)), bin(k24)))),
		"an array with a negative":      seq(num(7), bin(id1), dict(str("B"), seq(seq(null, bin(id2), seq([]byte{0xe0})), bin(k24)))),
		"an ephemeral key of 31 bytes":  seq(num(7), bin(id1), dict(str("B"), seq(seq(bin(k32[1:]), bin(id2), bin(k69)), bin(k24)))),
		"a byte that begins no value":   {0xc1},
		"a string":                      str("packet"),
		"a handshake that is no value":  seq(num(7), bin(id1), dict(str("H"), []byte{0xc1})),
		"an array where a map is meant": seq(num(7), bin(id1), seq(str("B"), seq(box, bin(k24)))),
	} {
		var p Packet
		if err := ParsePacket(&p, b); err != ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	var p Packet
	if err := ParsePacket(&p, nil); err != ErrShort {
		t.Errorf("nothing: %v", err)
	}
}

func TestHandshakesThatGwyhRefusesAreRefused(t *testing.T) {
	hmacs, stamp := seq(seq(bin(k64), ints(k69))), str("2023-11-14T22:13:20Z")
	hello := func(items ...[]byte) []byte { return seq(bin(id1), dict(str("Hello"), seq(items...))) }
	ohai := func(items ...[]byte) []byte { return seq(bin(id1), dict(str("Ohai"), seq(items...))) }
	for name, b := range map[string][]byte{
		"an unknown step":            seq(bin(id1), str("Later")),
		"an unknown step with value": seq(bin(id1), dict(str("Later"), null)),
		"a Hello alone":              seq(bin(id1), str("Hello")),
		"a GoTeam with a value":      seq(bin(id1), dict(str("GoTeam"), seq())),
		"a third element":            seq(bin(id1), str("GoTeam"), null),
		"no step":                    seq(bin(id1)),
		"an id of 17 bytes":          seq(bin(k32[:17]), str("GoTeam")),
		"a Hello of three":           hello(bin(k32), null, hmacs),
		"a Hello of five":            hello(bin(k32), null, hmacs, stamp, null),
		"a Hello without its key":    seq(bin(id1), dict(str("Hello"), dict(str("hmacs"), hmacs, str("timestamp"), stamp))),
		"a key of 31 bytes":          hello(bin(k32[1:]), null, hmacs, stamp),
		"nil for a key":              hello(null, null, hmacs, stamp),
		"a zone that is bin":         hello(bin(k32), bin(id1), hmacs, stamp),
		"a zone that is not UTF-8":   hello(bin(k32), str("\xff"), hmacs, stamp),
		"a zone above the bound":     hello(bin(k32), str(strings.Repeat("z", ZoneMax+1)), hmacs, stamp),
		"an Hmac of one element":     hello(bin(k32), null, seq(seq(bin(k64))), stamp),
		"an Hmac of three elements":  hello(bin(k32), null, seq(seq(bin(k64), ints(k69), null)), stamp),
		"a sum of 63 bytes":          hello(bin(k32), null, seq(seq(bin(k64[1:]), ints(k69))), stamp),
		"a message above the bound":  hello(bin(k32), null, seq(seq(bin(k64), bin(counting(HmacMessageMax+1)))), stamp),
		"a message that is a string": hello(bin(k32), null, seq(seq(bin(k64), str("message"))), stamp),
		"nil for the Hmacs":          hello(bin(k32), null, null, stamp),
		"a number for a timestamp":   hello(bin(k32), null, hmacs, num(1700000000)),
		"a bad timestamp":            hello(bin(k32), null, hmacs, str("yesterday")),
		"a challenge of 68 bytes":    ohai(bin(k32), null, hmacs, ints(k69[1:])),
		"a challenge of 70 bytes":    ohai(bin(k32), null, hmacs, bin(counting(70))),
		"a timestamp in an Ohai":     ohai(bin(k32), null, hmacs, stamp),
		"an OkBoss without its list": seq(bin(id1), dict(str("OkBoss"), seq())),
		"responses not in a list":    seq(bin(id1), dict(str("OkBoss"), seq(ints(k64)))),
		"two lists of responses":     seq(bin(id1), dict(str("OkBoss"), seq(seq(), seq()))),
		"a response of 63 bytes":     seq(bin(id1), dict(str("OkBoss"), seq(seq(ints(k64), ints(k64[1:]))))),
	} {
		h := Handshake{Step: StepDead}
		if err := ParseHandshake(&h, b); err != ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
		if h.Step != StepDead || h.Hmacs != nil {
			t.Errorf("%s: the handshake was touched", name)
		}
	}
}

func TestMessagesThatGwyhRefusesAreRefused(t *testing.T) {
	for name, body := range map[string][]byte{
		"two bodies":              dict(str("Nak"), seq(num(1), num(2)), str("Broadcast"), bin(id1)),
		"a string as a payload":   dict(str("Broadcast"), str("hello")),
		"an element above a byte": dict(str("Broadcast"), seq(num(1), num(300))),
		"a Frame of two":          dict(str("Frame"), seq(num(1), num(2))),
		"a Frame of four":         dict(str("Frame"), seq(num(1), num(2), bin(id1), null)),
		"a Nak of one":            dict(str("Nak"), seq(num(1))),
		"a Nak of three":          dict(str("Nak"), seq(num(1), num(2), num(3))),
		"a Nak of 33 bits":        dict(str("Nak"), seq(num(1), num(1<<32))),
		"a request that is a bin": dict(str("PeerRequest"), bin(id1)),
		"nil":                     null,
	} {
		var m Message
		if _, err := ParseMessage(&m, seq(bin(id1), body)); err != ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	var m Message
	if _, err := ParseMessage(&m, seq(bin(id1), str("Later"), null)); err != ErrMalformed {
		t.Errorf("a third element: %v", err)
	}
}

func TestPeersThatGwyhRefusesAreRefused(t *testing.T) {
	v4 := dict(str("V4"), seq(ints([]byte{1, 2, 3, 4}), num(6969)))
	for name, peer := range map[string][]byte{
		"no zone":               seq(v4, bin(id1)),
		"an element too many":   seq(v4, bin(id1), null, null),
		"an unknown family":     seq(dict(str("V5"), seq(ints(id1), num(1))), bin(id1), null),
		"a family alone":        seq(str("V4"), bin(id1), null),
		"five bytes of IPv4":    seq(dict(str("V4"), seq(ints(id1[:5]), num(1))), bin(id1), null),
		"four bytes of IPv6":    seq(dict(str("V6"), seq(ints(id1[:4]), num(1))), bin(id1), null),
		"a port of 17 bits":     seq(dict(str("V4"), seq(ints(id1[:4]), num(1<<16))), bin(id1), null),
		"an address of three":   seq(dict(str("V4"), seq(ints(id1[:4]), num(1), null)), bin(id1), null),
		"an address without id": dict(str("addr"), v4),
	} {
		if list, err := ParsePeers(seq(peer)); err != ErrMalformed || list != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := ParsePeerStatus(seq(peer, str("Up"))); err != ErrMalformed {
			t.Errorf("%s in a PeerStatus: %v", name, err)
		}
	}
	good := seq(v4, bin(id1), null)
	for _, b := range variants(seq(good), seq(good, str("Up"), null), seq(good, str("Gone")), seq(good, dict(str("Up"), null))) {
		if _, _, err := ParsePeerStatus(b); err != ErrMalformed {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// hostile returns input of a whole datagram with deep nesting or with counts beyond its end.
func hostile() map[string][]byte {
	repeat := func(b ...byte) []byte { return bytes.Repeat(b, 65507/len(b)) }
	return map[string][]byte{
		"arrays in arrays":          repeat(0x91),
		"maps in maps":              repeat(0x81),
		"pairs of arrays":           repeat(0x92),
		"arrays that claim 2^32":    repeat(0xdd, 0xff, 0xff, 0xff, 0xff),
		"arrays that claim 60,000":  repeat(0xdc, 0xea, 0x60),
		"maps that claim 2^32":      repeat(0xdf, 0xff, 0xff, 0xff, 0xff),
		"a bin that claims 2^32":    {0xc6, 0xff, 0xff, 0xff, 0xff},
		"a string that claims 2^32": {0xdb, 0xff, 0xff, 0xff, 0xff},
		"an ext that claims 2^32":   {0xc9, 0xff, 0xff, 0xff, 0xff, 1},
		"empty arrays":              repeat(0x90),
		"nils":                      repeat(0xc0),
	}
}

func TestHostileValuesCostNothing(t *testing.T) {
	hello := func(hmacs []byte) []byte {
		b := append([]byte{0x92}, bin(id1)...)
		b = append(appendVariant(b, "Hello"), 0x94)
		return append(append(append(b, bin(k32)...), tagNil), hmacs...)
	}
	for name, v := range hostile() {
		inputs := variants(v,
			append(append([]byte{0x93, 7}, bin(id1)...), append([]byte{0x81, 0xa1, 'H'}, v...)...),
			append(append([]byte{0x93, 7}, bin(id1)...), append([]byte{0x81, 0xa1, 'B', 0x92, 0x93, 0xc0}, v...)...),
			append(append([]byte{0x92}, bin(id1)...), append(appendVariant(nil, "Later"), v...)...),
			append(append([]byte{0x92}, bin(id1)...), append(appendVariant(nil, "Broadcast"), v...)...),
			hello(v))
		for i, b := range inputs {
			allocs := testing.AllocsPerRun(1, func() {
				var p Packet
				var m Message
				var h Handshake
				var e Member
				_ = ParsePacket(&p, b)
				_ = ParseHandshake(&h, b)
				_, _ = ParseMessage(&m, b)
				_, _ = ParsePeers(b)
				_, _, _ = ParsePeerStatus(b)
				_, _ = ParseSyncWant(b)
				for it := IterMembers(b); it.Next(&e); {
					t.Errorf("%s in place %d: a member", name, i)
				}
			})
			if allocs > 1 { // at most one Handshake
				t.Errorf("%s in place %d: %.0f allocations", name, i, allocs)
			}
		}
	}
}

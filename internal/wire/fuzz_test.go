package wire

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzPacket requires that an accepted packet, encoded again, parses to the same packet.
func FuzzPacket(f *testing.F) {
	for _, v := range vectors(f, "packet_") {
		f.Add(v.bytesOf(f))
	}
	for _, b := range boxForms() {
		f.Add(b)
	}
	head := append([]byte{0x93, 7}, append(bin(id1), 0x81, 0xa1, 'H')...)
	for _, b := range helloForms() {
		f.Add(append(bytes.Clone(head), b...))
	}
	for _, b := range hostile() {
		f.Add(b[:min(len(b), 200)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q Packet
		if ParsePacket(&p, bytes.Clone(b)) != nil {
			return
		}
		checkShortWay(t, b)
		var h, g Handshake
		if p.Kind == PacketHandshake && ParseHandshake(&h, p.Handshake) != nil {
			return
		}
		once := encodePacket(t, &p)
		if err := ParsePacket(&q, bytes.Clone(once)); err != nil {
			t.Fatalf("%x: %v", once, err)
		}
		if twice := encodePacket(t, &q); !bytes.Equal(once, twice) {
			t.Fatalf("once  %x\ntwice %x", once, twice)
		}
		if p.Kind == PacketHandshake {
			if err := ParseHandshake(&g, q.Handshake); err != nil || !reflect.DeepEqual(h, g) {
				t.Fatalf("%+v\n%+v %v", h, g, err)
			}
			p.Handshake, q.Handshake = nil, nil
		}
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("%+v\n%+v", p, q)
		}
	})
}

// checkShortWay compares the result of parseGoBox with that of the general parser.
func checkShortWay(t *testing.T, b []byte) {
	short := Packet{Handshake: b}
	if !short.parseGoBox(b) {
		return
	}
	long := Packet{}
	switch err := long.parse(bytes.Clone(b)); {
	case err != nil:
		t.Fatal(err)
	case !reflect.DeepEqual(short, long):
		t.Fatalf("%+v\n%+v %v", short, long, err)
	}
}

// FuzzMessage requires the same for the messages of a box and for the values inside them.
func FuzzMessage(f *testing.F) {
	for _, v := range vectors(f, "message_") {
		if v.Hex != "" {
			f.Add(v.bytesOf(f))
		}
	}
	var all []byte
	for _, b := range extensions() {
		f.Add(b)
		all = append(all, b...)
	}
	f.Add(all)
	f.Add(seq(bin(id1), dict(str("Later"), oddValues)))
	f.Add(dict(str("body"), dict(str("Frame"), seq(num(9), wide(300), wideInts(k69))), str("id"), bin(id1)))
	for _, b := range hostile() {
		f.Add(seq(bin(id1), dict(str("Members"), b[:min(len(b), 200)])))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rest := bytes.Clone(b)
		for len(rest) > 0 {
			var m Message
			var err error
			if rest, err = ParseMessage(&m, rest); err != nil {
				return
			}
			checkStable(t, &m)
		}
	})
}

func checkStable(t *testing.T, m *Message) {
	for _, enc := range []Encoding{Arrays, Bin} {
		once, err := appendParsed(nil, m, enc)
		if err != nil || len(once) == 0 {
			return
		}
		var n Message
		rest, err := ParseMessage(&n, bytes.Clone(once))
		switch {
		case err != nil:
			t.Fatalf("%x: %v", once, err)
		case len(rest) > 0:
			t.Fatalf("%x: len(rest) is %d, want 0: %v", once, len(rest), rest)
		case n.Kind != m.Kind:
			t.Fatalf("%x: the kind after a second parse is %v, want %v", once, n.Kind, m.Kind)
		case n.ID != m.ID:
			t.Fatalf("%x: the id after a second parse is %v, want %v", once, n.ID, m.ID)
		}
		if twice := encodeMessage(t, &n, enc); !bytes.Equal(once, twice) {
			t.Fatalf("once  %x\ntwice %x", once, twice)
		}
	}
}

package wire

import (
	"testing"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

func BenchmarkParsePacketBin(b *testing.B) {
	packet, _, _ := ReserveBox(nil, 70000, NodeID(id1), new([24]byte), 256)
	b.ReportAllocs()
	var p Packet
	for b.Loop() {
		if err := ParsePacket(&p, packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParsePacketArrays(b *testing.B) {
	packet := AppendBoxArrays(nil, 70000, NodeID(id1), new([24]byte), new([16]byte), counting(256))
	buf := make([]byte, len(packet))
	b.ReportAllocs()
	var p Packet
	for b.Loop() {
		copy(buf, packet) // the ARRAY is decoded in place
		if err := ParsePacket(&p, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReserveBox(b *testing.B) {
	buf, nonce := make([]byte, 0, 2048), new([24]byte)
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = ReserveBox(buf, 70000, NodeID{}, nonce, 256)
	}
}

func BenchmarkAppendBoxArrays(b *testing.B) {
	buf, nonce, tag, data := make([]byte, 0, 2048), new([24]byte), new([16]byte), counting(256)
	b.ReportAllocs()
	for b.Loop() {
		AppendBoxArrays(buf, 70000, NodeID{}, nonce, tag, data)
	}
}

func BenchmarkParseBroadcastBin(b *testing.B) {
	msg := AppendBroadcast(nil, Bin, MessageID(id1), counting(256))
	b.ReportAllocs()
	var m Message
	for b.Loop() {
		if _, err := ParseMessage(&m, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBroadcastBin(b *testing.B) {
	buf, data := make([]byte, 0, 2048), counting(256)
	b.ReportAllocs()
	for b.Loop() {
		AppendBroadcast(buf, Bin, MessageID{}, data)
	}
}

func BenchmarkAppendBroadcastArrays(b *testing.B) {
	buf, data := make([]byte, 0, 2048), counting(256)
	b.ReportAllocs()
	for b.Loop() {
		AppendBroadcast(buf, Arrays, MessageID{}, data)
	}
}

// BenchmarkParseMember measures one entry of a full datagram per iteration.
func BenchmarkParseMember(b *testing.B) {
	e := aliveMember()
	w := BeginMembers(nil, MessageID(id1))
	for w.Append(&e, 1300) {
	}
	var m Message
	if _, err := ParseMessage(&m, w.End()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	it := IterMembers(m.Data)
	for b.Loop() {
		if !it.Next(&e) {
			it = IterMembers(m.Data)
		}
	}
}

// BenchmarkParseMembersEnvelope measures a full datagram of entries without parsing the entries.
func BenchmarkParseMembersEnvelope(b *testing.B) {
	e := aliveMember()
	w := BeginMembers(nil, MessageID(id1))
	for w.Append(&e, 1300) {
	}
	msg := w.End()
	b.ReportAllocs()
	var m Message
	for b.Loop() {
		if _, err := ParseMessage(&m, msg); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.Len()), "entries")
}

// BenchmarkAppendMember measures one entry per iteration.
func BenchmarkAppendMember(b *testing.B) {
	buf, e := make([]byte, 0, 2048), aliveMember()
	b.ReportAllocs()
	w := BeginMembers(buf, MessageID{})
	for b.Loop() {
		if !w.Append(&e, 1300) {
			w = BeginMembers(buf, MessageID{})
		}
	}
}

func helloOf(hmacs int) Handshake {
	h := Handshake{Step: StepHello}
	for range hmacs {
		h.Hmacs = append(h.Hmacs, Hmac{Message: counting(96)})
	}
	return h
}

func BenchmarkParseHello4Hmacs(b *testing.B) {
	h := helloOf(4)
	packet := AppendHandshake(nil, 1, NodeID{}, &h)
	b.ReportAllocs()
	var p Packet
	for b.Loop() {
		if ParsePacket(&p, packet) != nil || ParseHandshake(&h, p.Handshake) != nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkParseHello4HmacsGoMsgpack shows why cursor and not go-msgpack decodes handshakes.
func BenchmarkParseHello4HmacsGoMsgpack(b *testing.B) {
	h := helloOf(4)
	packet := AppendHandshake(nil, 1, NodeID{}, &h)
	type hello struct {
		PublicKey []byte
		Zone      *string
		Hmacs     []struct{ Sum, Message []byte }
		Timestamp string
	}
	var v struct {
		Seq    uint32
		Sender []byte
		Body   map[string]struct {
			ID   []byte
			Step map[string]hello
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := codec.NewDecoderBytes(packet, handle).Decode(&v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendHello1Hmac(b *testing.B) {
	h, buf := helloOf(1), make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		AppendHandshake(buf, 1, NodeID{}, &h)
	}
}

package wire

import "testing"

func TestEnvelopesAllocateNothing(t *testing.T) {
	var (
		p       Packet
		m       Message
		e       Member
		nonce   [24]byte
		tag     [16]byte
		data    = counting(1200)
		alive   = aliveMember()
		id      = MessageID(id1)
		buf     = make([]byte, 0, 8192)
		scratch = make([]byte, 8192)
		boxBin  = boxForms()[1]
		arrays  = AppendBoxArrays(nil, 70000, NodeID{}, &nonce, &tag, data)
		frame   = AppendFrame(nil, Arrays, id, 3000, 300, data)
		bcast   = AppendBroadcast(nil, Bin, id, data)
		nak     = AppendNak(nil, id, 3, 700)
		beat    = AppendRequest(nil, id, KindHeartbeat)
		ping    = AppendPing(nil, KindPing, id, Ping{Seq: 1, Payload: data})
		hello   = boxForms()[0]
		members = extensions()[KindMembers]
	)
	parse := func(b []byte) func() { // parses a copy, since ARRAYs are decoded in place
		return func() {
			if _, err := ParseMessage(&m, append(scratch[:0], b...)); err != nil {
				t.Error(err)
			}
		}
	}
	packet := func(b []byte) func() {
		return func() {
			if err := ParsePacket(&p, append(scratch[:0], b...)); err != nil {
				t.Error(err)
			}
		}
	}
	parsePing, parseMembers := parse(ping), parse(members)
	for name, f := range map[string]func(){
		"ParsePacket of bin":      packet(boxBin),
		"ParsePacket of arrays":   packet(arrays),
		"ParsePacket, handshake":  packet(hello),
		"ReserveBox":              func() { _, _, _ = ReserveBox(buf, 70000, NodeID{}, &nonce, 1200) },
		"AppendBoxArrays":         func() { AppendBoxArrays(buf, 70000, NodeID{}, &nonce, &tag, data) },
		"ParseMessage, Broadcast": parse(bcast),
		"ParseMessage, Frame":     parse(frame),
		"ParseMessage, Nak":       parse(nak),
		"ParseMessage, Heartbeat": parse(beat),
		"AppendBroadcast of bin":  func() { AppendBroadcast(buf, Bin, id, data) },
		"AppendBroadcast, arrays": func() { AppendBroadcast(buf, Arrays, id, data) },
		"AppendFrame":             func() { AppendFrame(buf, Bin, id, 3000, 300, data) },
		"AppendNak":               func() { AppendNak(buf, id, 3, 700) },
		"AppendRequest":           func() { AppendRequest(buf, id, KindHeartbeat) },
		"AppendPing":              func() { AppendPing(buf, KindPing, id, Ping{Seq: 1, Payload: data}) },
		"AppendIdentity":          func() { AppendIdentity(buf, id, &alive) },
		"ParseMessage and ParsePing": func() {
			parsePing()
			if v, err := ParsePing(m.Data); err != nil || len(v.Payload) != len(data) {
				t.Error(err)
			}
		},
		"MembersWriter": func() {
			w := BeginMembers(buf, id)
			for w.Append(&alive, 1400) {
			}
			_ = w.End()
		},
		"MemberIter": func() {
			parseMembers()
			it := IterMembers(m.Data)
			for it.Next(&e) {
			}
			if it.Err() != nil {
				t.Error(it.Err())
			}
		},
	} {
		if n := testing.AllocsPerRun(10, f); n != 0 {
			t.Errorf("%s: %.0f allocations", name, n)
		}
	}
}

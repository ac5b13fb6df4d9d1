package wire

import (
	"bytes"
	"net/netip"
	"testing"
)

// extensions returns messages of PROTOCOL.md part 4, one of each kind.
func extensions() map[Kind][]byte {
	id, alive := MessageID(id1), aliveMember()
	w, s := BeginMembers(nil, id), BeginSyncMembers(nil, id)
	for _, m := range sampleMembers() {
		w.Append(&m, 1<<20)
		s.Append(&m, 1<<20)
	}
	buckets := SyncBuckets{Bits: 7, First: 125}
	buckets.Add(1)
	buckets.Add(1 << 63)
	want := SyncWant{Bits: 7}
	want.Add(0)
	want.Add(127)
	spread, steer := Want{}, Steer{}
	steer.Add(1<<60, true)
	steer.Add(7, false)
	var stripes Stripes
	stripes.Add(&MessageID{1, 2, 3}, 3)
	stripes.Add(&MessageID{4, 5, 6}, 0)
	spread.Add(&MessageID{1, 2, 3}, 0, 1<<24)
	spread.Add(&MessageID{4, 5, 6}, 7, 1<<32-1)
	return map[Kind][]byte{
		KindIdentity:    AppendIdentity(nil, id, &alive),
		KindMembers:     w.End(),
		KindSyncMembers: s.End(),
		KindSyncRoot:    AppendSyncRoot(nil, id, SyncRoot{Root: 1 << 60, Count: 1000, Heard: 2500, Next: 2000, Salt: 1 << 61}),
		KindSyncBuckets: AppendSyncBuckets(nil, id, buckets),
		KindSyncWant:    AppendSyncWant(nil, id, want),
		KindPing:        AppendPing(nil, KindPing, id, Ping{Seq: 300, Payload: []byte("padding")}),
		KindAck:         AppendPing(nil, KindAck, id, Ping{Seq: 1 << 40}),
		KindDirect:      AppendDirect(nil, id, Direct{Use: UseReliable, Total: 1 << 20, Offset: 70_000, Data: []byte("piece")}),
		KindDirectAck:   AppendDirectAck(nil, id, DirectAck{ID: MessageID{1, 2, 3}, Upto: 1 << 20, Next: 1<<20 + 300}),
		KindReport:      AppendReport(nil, id, Report{Highest: 1 << 33, Lowest: 1 << 32, Bytes: 1 << 40, Delay: 20_000}),
		KindHave:        AppendList(nil, KindHave, id, []byte("digests")),
		KindWant:        AppendList(nil, KindWant, id, spread.Bytes()),
		KindCast:        AppendCast(nil, KindCast, id, 420, []byte("hello")),
		KindPrune:       AppendList(nil, KindPrune, id, steer.Bytes()),
		KindGraft:       AppendList(nil, KindGraft, id, steer.Bytes()),
		KindStripes:     AppendList(nil, KindStripes, id, stripes.Bytes()),
		KindStop:        AppendStop(nil, id, MessageID{7, 8, 9}),
		KindSettled:     AppendSettled(nil, id, Settled{Start: 70_000, End: 1<<32 - 1}),
		KindProbeFor:    AppendProbeFor(nil, id, ProbeFor{Seq: 1 << 33, Target: NodeID{6: 0x80, 15: 7}, Addr: netip.MustParseAddrPort("10.1.2.3:6969")}),
		KindProbeResult: AppendProbeResult(nil, id, ProbeResult{Seq: 1 << 33, Answered: true}),

		KindStateRefused: AppendStateRefused(nil, id, MessageID{4, 5, 6}),
		KindBeacon:       AppendCast(nil, KindBeacon, id, 420, []byte("a beacon")),
		KindClock:        AppendClock(nil, id, Clock{Sent: 1 << 63, Echo: 1 << 40, Held: 999_000}),
	}
}

// PROTOCOL.md P9.
func TestExtensionsAreReadAndWrittenBack(t *testing.T) {
	all := extensions()
	if len(all) != int(kindLast-KindIdentity)+1 {
		t.Fatalf("%d kinds", len(all))
	}
	for kind, b := range all {
		var m Message
		rest, err := ParseMessage(&m, append(bytes.Clone(b), "rest"...))
		switch {
		case err != nil:
			t.Fatalf("%s: %v", kind, err)
		case m.Kind != kind:
			t.Fatalf("%s: the kind is %v, want %v", kind, m.Kind, kind)
		case string(rest) != "rest":
			t.Fatalf("%s: string(rest) is %q, want %q", kind, string(rest), "rest")
		case m.ID != MessageID(id1):
			t.Fatalf("%s: the id is %v, want %v", kind, m.ID, MessageID(id1))
		}
		if got := encodeMessage(t, &m, Bin); !bytes.Equal(got, b) {
			t.Errorf("%s:\n got %x\nwant %x", kind, got, b)
		}
	}
}

func TestEveryPrefixOfAnExtensionFails(t *testing.T) {
	for kind, b := range extensions() {
		var m Message
		for n := range b {
			if _, err := ParseMessage(&m, b[:n]); err != ErrShort {
				t.Fatalf("%s cut to %d: %v", kind, n, err)
			}
		}
		if _, err := ParseMessage(&m, b); err != nil {
			t.Fatal(err)
		}
		if kind == KindCast || kind == KindBeacon { // their Data is the payload
			continue
		}
		for n := range m.Data {
			cut := m
			cut.Data = m.Data[:n]
			if _, err := appendExtension(nil, &cut); err != ErrShort {
				t.Fatalf("%s, value cut to %d: %v", kind, n, err)
			}
		}
	}
}

// PROTOCOL.md P7.
func TestSyncValuesAreKept(t *testing.T) {
	parse := func(k Kind) (m Message) {
		if _, err := ParseMessage(&m, extensions()[k]); err != nil {
			t.Fatal(err)
		}
		return m
	}
	if v, err := ParseSyncRoot(parse(KindSyncRoot).Data); err != nil || v != (SyncRoot{1 << 60, 1000, 2500, 2000, 1 << 61}) {
		t.Errorf("%+v %v", v, err)
	}
	b, err := ParseSyncBuckets(parse(KindSyncBuckets).Data)
	switch {
	case err != nil:
		t.Error(err)
	case b.Bits != 7:
		t.Errorf("the digests have %v bits, want 7", b.Bits)
	case b.First != 125:
		t.Errorf("the first bucket is %v, want 125", b.First)
	case b.Len() != 2:
		t.Errorf("there are %v digests, want 2", b.Len())
	case b.At(0) != 1:
		t.Errorf("the first digest is %v, want 1", b.At(0))
	case b.At(1) != 1<<63:
		t.Errorf("the second digest is %v, want %v", b.At(1), uint64(1<<63))
	}
	w, err := ParseSyncWant(parse(KindSyncWant).Data)
	switch {
	case err != nil:
		t.Error(err)
	case w.Bits != 7:
		t.Errorf("the buckets have %v bits, want 7", w.Bits)
	case w.Len() != 2:
		t.Errorf("there are %v buckets, want 2", w.Len())
	case w.At(0) != 0:
		t.Errorf("the first bucket is %v, want 0", w.At(0))
	case w.At(1) != 127:
		t.Errorf("the second bucket is %v, want 127", w.At(1))
	}
	switch v, err := ParsePing(parse(KindPing).Data); {
	case err != nil:
		t.Error(err)
	case v.Seq != 300:
		t.Errorf("the number is %v, want 300", v.Seq)
	case string(v.Payload) != "padding":
		t.Errorf("string(v.Payload) is %q, want %q", string(v.Payload), "padding")
	}
}

// PROTOCOL.md I1.
func TestLaterVersionsOfSyncValuesAreRead(t *testing.T) {
	if v, err := ParseSyncRoot(seq(num(1), num(2), num(3), num(4), num(5), oddValues)); err != nil || v != (SyncRoot{1, 2, 3, 4, 5}) {
		t.Errorf("%+v %v", v, err)
	}
	if v, err := ParseSyncBuckets(seq(num(1), num(1), bin(k64[:8]), num(3), null, null)); err != nil || v.Len() != 1 {
		t.Errorf("%+v %v", v, err)
	}
	if v, err := ParseSyncWant(seq(num(1), bin(nil), null)); err != nil || v.Len() != 0 {
		t.Errorf("%+v %v", v, err)
	}
	if v, err := ParsePing(seq(num(1), bin(id1), null)); err != nil || len(v.Payload) != 16 {
		t.Errorf("%+v %v", v, err)
	}
}

// PROTOCOL.md P7.
func TestBrokenSyncValuesAreRefused(t *testing.T) {
	roots := variants(seq(num(1), num(1)), seq(num(1), num(1<<32), num(1)), seq(num(1), num(1), num(1<<32)), seq(null, num(1), num(1)), num(1))
	buckets := variants(seq(num(1), num(0)), seq(num(1), num(0), bin(id1[:9])), seq(num(1), num(1), bin(id1)),
		seq(num(25), num(0), bin(id1)), seq(num(24), num(1<<32-1), bin(id1)), seq(num(1), num(0), ints(id1[:8])))
	wants := variants(seq(num(1)), seq(num(1), bin(id1[:5])), seq(num(1), bin([]byte{0, 0, 0, 2})), seq(num(25), bin(nil)))
	pings := variants(seq(num(1)), seq(num(1), null), seq(bin(nil), bin(nil)))
	for i, b := range roots {
		if _, err := ParseSyncRoot(b); err != ErrMalformed {
			t.Errorf("root %d: %v", i, err)
		}
	}
	for i, b := range buckets {
		if _, err := ParseSyncBuckets(b); err != ErrMalformed {
			t.Errorf("buckets %d: %v", i, err)
		}
	}
	for i, b := range wants {
		if _, err := ParseSyncWant(b); err != ErrMalformed {
			t.Errorf("want %d: %v", i, err)
		}
	}
	for i, b := range pings {
		if _, err := ParsePing(b); err != ErrMalformed {
			t.Errorf("ping %d: %v", i, err)
		}
	}
}

func TestOnlyKindsOfPart4AreExtensions(t *testing.T) {
	for k := KindUnknown; k <= kindLast; k++ {
		if k.String() == "" || k.IsExtension() != (k >= KindIdentity) {
			t.Errorf("kind %d: %q", k, k)
		}
	}
}

// PROTOCOL.md F1.
func TestPieceOutsideItsMessageIsMalformed(t *testing.T) {
	for _, d := range []Direct{{Total: 4, Offset: 0, Data: []byte("hello")}, {Total: 1 << 20, Offset: 1<<32 - 1, Data: []byte("x")}} {
		var m Message
		if _, err := ParseMessage(&m, AppendDirect(nil, MessageID{}, d)); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseDirect(m.Data); err != ErrMalformed {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func TestSyncRootByHandEqualsThatOfGoMsgpack(t *testing.T) {
	id := MessageID{1, 2, 3}
	for _, s := range []SyncRoot{{}, {Root: 127, Count: 128, Heard: 129, Next: 130}, {Root: 1 << 63, Count: 1<<32 - 1, Heard: 1<<32 - 1, Next: 1<<32 - 1, Salt: 1<<64 - 1}, {Root: 70_000, Count: 70_000, Heard: 2200, Next: 2000}} {
		want := appendValue(appendMessageHead(nil, &id, "SyncRoot"), s)
		if got := AppendSyncRoot(nil, id, s); !bytes.Equal(got, want) {
			t.Errorf("%+v: %x, want %x", s, got, want)
		}
	}
}

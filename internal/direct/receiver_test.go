package direct

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const controlMax = 60_000

// receiver returns a Receiver, its store and a message id.
func receiver(t *testing.T) (*Receiver, *assembly.Store, wire.MessageID) {
	t.Helper()
	store := &assembly.Store{}
	r := NewReceiver(store, controlMax)
	return &r, store, newWorld(t).NewID()
}

// body returns a piece as ParseMessage returns it.
func body(t *testing.T, d wire.Direct) []byte {
	t.Helper()
	var m wire.Message
	if _, err := wire.ParseMessage(&m, wire.AppendDirect(nil, wire.MessageID{1}, d)); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(m.Data)
}

// PROTOCOL.md U1.
func TestPiecesAreChecked(t *testing.T) {
	hello := []byte("hello")
	for _, x := range []struct {
		name   string
		d      wire.Direct
		nested bool
		want   Verdict
		stats  ReceiverStats
	}{
		{"whole", wire.Direct{Total: 5, Data: hello}, false, New, ReceiverStats{}},
		{"empty", wire.Direct{}, false, New, ReceiverStats{}},
		{"a part", wire.Direct{Total: 9, Offset: 4, Data: hello}, false, New, ReceiverStats{}},
		{"of the largest", wire.Direct{Total: assembly.MessageMax, Data: hello}, false, New, ReceiverStats{}},
		{"of control", wire.Direct{Use: wire.UseControl, Total: controlMax, Data: hello}, false, New, ReceiverStats{}},
		{"in control", wire.Direct{Total: 5, Data: hello}, true, New, ReceiverStats{}},
		{"of control in control", wire.Direct{Use: wire.UseControl, Total: 5, Data: hello}, true, Refused, ReceiverStats{Oversize: 1}},
		{"of too much control", wire.Direct{Use: wire.UseControl, Total: controlMax + 1, Data: hello}, false, Refused, ReceiverStats{Oversize: 1}},
		{"too large", wire.Direct{Total: assembly.MessageMax + 1, Data: hello}, false, Refused, ReceiverStats{Oversize: 1}},
		{"without bytes", wire.Direct{Total: 5}, false, Refused, ReceiverStats{Oversize: 1}},
		{"beyond its message", wire.Direct{Total: 5, Offset: 1, Data: hello}, false, Refused, ReceiverStats{Malformed: 1}},
		{"of a later version", wire.Direct{Use: 99, Total: 5, Data: hello}, false, Refused, ReceiverStats{Unknown: 1}},
	} {
		t.Run(x.name, func(t *testing.T) {
			r, _, id := receiver(t)
			d, got := r.Check(&id, body(t, x.d), x.nested)
			if got != x.want {
				t.Errorf("verdict %d, want %d", got, x.want)
			}
			if got == New && d.Total != x.d.Total {
				t.Errorf("%d bytes", d.Total)
			}
			if r.Stats != x.stats {
				t.Errorf("%+v, want %+v", r.Stats, x.stats)
			}
		})
	}
}

// PROTOCOL.md U2.
func TestMessageIsNewOnce(t *testing.T) {
	r, _, id := receiver(t)
	piece := body(t, wire.Direct{Total: 2, Data: []byte("hi")})
	if !r.First(start, &id) || r.First(start, &id) {
		t.Error("the first one is not told from the second")
	}
	if _, got := r.Check(&id, piece, false); got != Duplicate {
		t.Errorf("verdict %d", got)
	}
	if r.Stats.Duplicates != 1 {
		t.Errorf("%d duplicates", r.Stats.Duplicates)
	}
	if ack := WholeAck(id, 2); ack != (wire.DirectAck{ID: id, Upto: 2, Next: 2}) {
		t.Errorf("%+v", ack)
	}
}

func TestMessageInOnePieceIsWhole(t *testing.T) {
	data := []byte("hello")
	v, ok := Whole(&wire.Direct{Total: 5, Data: data})
	if !ok || !v.Whole {
		t.Fatal("not whole")
	}
	if data[0] = 'j'; string(v.Data) != "hello" {
		t.Errorf("%q", v.Data)
	}
	if _, ok := Whole(&wire.Direct{Total: 6, Data: data}); ok {
		t.Error("a part is whole")
	}
}

func TestPiecesMakeAMessage(t *testing.T) {
	r, store, id := receiver(t)
	data := []byte("0123456789")
	a := store.Begin(start, id, 10, true)
	piece := func(from, to uint32) Arrival {
		return r.Write(start, a, &wire.Direct{Total: 10, Offset: from, Data: data[from:to]})
	}
	for _, x := range []struct {
		from, to uint32
		again    bool
		upto     uint32
		next     uint32
	}{
		{0, 2, false, 0, 0},
		{0, 2, true, 2, 10}, // nothing arrived after the gap
		{6, 8, false, 0, 0},
		{6, 8, true, 2, 6},
		{2, 6, false, 0, 0},
		{6, 8, true, 8, 10},
	} {
		v := piece(x.from, x.to)
		if v.Whole || v.Again != x.again {
			t.Errorf("[%d, %d): whole %v, again %v", x.from, x.to, v.Whole, v.Again)
		}
		if want := (wire.DirectAck{ID: id, Upto: x.upto, Next: x.next}); x.again && v.Ack != want {
			t.Errorf("[%d, %d): %+v, want %+v", x.from, x.to, v.Ack, want)
		}
	}
	v := piece(8, 10)
	if !v.Whole || !bytes.Equal(v.Data, data) {
		t.Errorf("whole %v, %q", v.Whole, v.Data)
	}
	if store.Len() != 0 || !a.Forgotten() {
		t.Errorf("%d are stored, forgotten %v", store.Len(), a.Forgotten())
	}
	if want := (ReceiverStats{Pieces: 3, Duplicates: 3}); r.Stats != want {
		t.Errorf("%+v, want %+v", r.Stats, want)
	}
}

func TestPieceOfAnotherLengthIsUnexpected(t *testing.T) {
	r, store, id := receiver(t)
	a := store.Begin(start, id, 10, true)
	if v := r.Write(start, a, &wire.Direct{Total: 11, Data: []byte("0")}); v.Whole || v.Again {
		t.Errorf("%+v", v)
	}
	if r.Stats != (ReceiverStats{Unexpected: 1}) {
		t.Errorf("%+v", r.Stats)
	}
}

func TestPieceWithoutRoomIsCounted(t *testing.T) {
	r, store, id := receiver(t)
	a := store.Begin(start, id, 10, true)
	store.Remove(a)
	if v := r.Write(start, a, &wire.Direct{Total: 10, Data: []byte("0")}); v.Whole || v.Again {
		t.Errorf("%+v", v)
	}
	if r.Stats != (ReceiverStats{StoreFull: 1}) {
		t.Errorf("%+v", r.Stats)
	}
}

func TestFindLooksForDirectMessagesThatAreHere(t *testing.T) {
	_, store, id := receiver(t)
	broadcast := store.Begin(start, id, 10, false)
	forgotten := store.Begin(start, id, 10, true)
	store.Remove(forgotten)
	other := store.Begin(start, wire.MessageID{7}, 10, true)
	in := assembly.Incoming{broadcast, forgotten, other}
	if a := Find(in, id); a != nil {
		t.Errorf("found %d", slices.Index(in, a))
	}
	a := store.Begin(start, id, 10, true)
	if got := Find(append(in, a), id); got != a {
		t.Errorf("found %v", got)
	}
}

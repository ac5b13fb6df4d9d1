package trace

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestEventsAreLinesOfJSONWithVirtualTime(t *testing.T) {
	start := time.Unix(1000, 0)
	var b strings.Builder
	l := NewLog(&b, start)
	one, two := l.Tracer("node-1"), l.Tracer("node-2")
	one.Emit(start, Event{Kind: Packet, What: "sent", Peer: "10.0.0.2:6969", Bytes: 120})
	two.Emit(start.Add(1500*time.Microsecond), Event{Kind: Message, What: "received", Peer: "node-1", Message: "Ping", ID: "7"})
	one.Emit(start.Add(time.Hour), Event{Kind: Choice, Peers: []string{"node-2", `"quoted"`}})
	want := `{"t":0.000000,"node":"node-1","event":"packet","what":"sent","peer":"10.0.0.2:6969","bytes":120}
{"t":0.001500,"node":"node-2","event":"message","what":"received","peer":"node-1","message":"Ping","id":"7"}
{"t":3600.000000,"node":"node-1","event":"choice","peers":["node-2","\"quoted\""]}
`
	if b.String() != want {
		t.Errorf("wrote\n%swant\n%s", b.String(), want)
	}
}

func TestRealTimeIsWrittenInFull(t *testing.T) {
	var b strings.Builder
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	NewLog(&b, time.Time{}).Tracer("n").Emit(at, Event{Kind: Link, What: "up"})
	var got struct {
		T     time.Time `json:"t"`
		Event Kind      `json:"event"`
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if !got.T.Equal(at) || got.Event != Link {
		t.Errorf("read %+v from %s", got, b.String())
	}
}

// failing fails after the given number of writes.
type failing int

var errFull = errors.New("disk full")

func (f *failing) Write(b []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestLogEndsWithItsFirstError(t *testing.T) {
	f := failing(2)
	l := NewLog(&f, time.Time{})
	for range 5 {
		l.Tracer("n").Emit(time.Unix(0, 0), Event{Kind: Link})
	}
	if !errors.Is(l.Err(), errFull) {
		t.Errorf("error %v", l.Err())
	}
	if f != -1 {
		t.Errorf("%d writes after the error", -1-f)
	}
}

func TestNilTracerWritesNothingAndAllocatesNothing(t *testing.T) {
	var tr *Tracer
	e := Event{Kind: Packet, What: "sent", Bytes: 100}
	if n := testing.AllocsPerRun(100, func() { tr.Emit(time.Time{}, e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEmit(b *testing.B) {
	for _, x := range []struct {
		name string
		t    *Tracer
	}{{"off", nil}, {"on", NewLog(&discard{}, time.Time{}).Tracer("node-1")}} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			e := Event{Kind: Packet, What: "sent", Peer: "10.0.0.2:6969", Bytes: 120}
			for b.Loop() {
				x.t.Emit(time.Time{}, e)
			}
		})
	}
}

type discard struct{}

func (*discard) Write(b []byte) (int, error) { return len(b), nil }

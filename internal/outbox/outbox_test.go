package outbox

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func path(host byte) wire.Path {
	return wire.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), 1)}
}

// fill queues a datagram of size bytes of the given value.
func (o *Outbox) fill(host, value byte, size int) {
	o.Add(path(host), append(o.Buffer(), bytes.Repeat([]byte{value}, size)...))
}

func TestRunsAreOfOnePeerAndOneSizeExceptTheLast(t *testing.T) {
	var o Outbox
	queued := []struct {
		host  byte
		size  int
		probe bool
	}{{1, 100, false}, {1, 100, false}, {1, 50, false}, {1, 50, false}, {1, 60, false}, {2, 60, false}, {2, 60, true}, {2, 60, false},
		{3, 40_000, false}, {3, 40_000, false}}
	queue := func() {
		for i, d := range queued {
			if d.probe {
				o.AddProbe(path(d.host), append(o.Buffer(), bytes.Repeat([]byte{byte(i)}, d.size)...))
			} else {
				o.fill(d.host, byte(i), d.size)
			}
		}
	}
	type run struct {
		host               byte
		bytes, size, count int
		probe              bool
	}
	var got []run
	var all []byte
	queue()
	o.Drain(RunMax, func(r Run) {
		got = append(got, run{r.To.Remote.Addr().As4()[3], len(r.Bytes), r.Size, r.Count, r.Probe})
		all = append(all, r.Bytes...)
	})
	want := []run{{1, 250, 100, 3, false}, {1, 50, 50, 1, false}, {1, 60, 60, 1, false}, {2, 60, 60, 1, false}, {2, 60, 60, 1, true},
		{2, 60, 60, 1, false}, {3, 40_000, 40_000, 1, false}, {3, 40_000, 40_000, 1, false}}
	if !slices.Equal(got, want) {
		t.Errorf("runs %v, want %v", got, want)
	}
	var single []byte
	n := 0
	queue()
	o.Drain(1, func(r Run) {
		single = append(single, r.Bytes...)
		n += r.Count
	})
	if n != len(queued) {
		t.Errorf("%d datagrams one by one, want %d", n, len(queued))
	}
	if !bytes.Equal(all, single) {
		t.Error("runs and single datagrams have different bytes")
	}
}

func TestRunIsBounded(t *testing.T) {
	var o Outbox
	for range RunMax + 5 {
		o.fill(1, 1, 1)
	}
	var counts []int
	o.Drain(RunMax, func(r Run) { counts = append(counts, r.Count) })
	if !slices.Equal(counts, []int{RunMax, 5}) {
		t.Errorf("runs of %v datagrams", counts)
	}
}

func TestSmallPacketsToOneNodeShareDatagrams(t *testing.T) {
	type packet struct {
		host  byte
		size  int
		alone bool
	}
	many := slices.Repeat([]packet{{host: 1, size: 10}}, wire.PacketsMax+1)
	for _, x := range []struct {
		name string
		sent []packet
		want []int // sizes of the datagrams in bytes
		last int   // number of packets in the last one
	}{
		{"small ones", []packet{{1, 100, false}, {1, 200, false}, {1, 900, false}}, []int{1200}, 3},
		{"too many bytes", []packet{{1, 1000, false}, {1, 201, false}, {1, 10, false}}, []int{1000, 211}, 2},
		{"a large one", []packet{{1, 1400, false}, {1, 10, false}}, []int{1400, 10}, 1},
		{"two nodes", []packet{{1, 10, false}, {2, 10, false}, {1, 10, false}}, []int{10, 10, 10}, 1},
		{"one that stays alone", []packet{{1, 10, false}, {1, 20, true}, {1, 30, false}}, []int{10, 20, 30}, 1},
		{"ends with one that stays alone", []packet{{1, 10, false}, {1, 20, true}}, []int{10, 20}, 0},
		{"too many", many, []int{10 * wire.PacketsMax, 10}, 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			var o Outbox
			for _, p := range x.sent {
				buf := append(o.Buffer(), make([]byte, p.size)...)
				if p.alone {
					o.Add(path(p.host), buf)
				} else {
					o.Pack(path(p.host), buf)
				}
			}
			var got []int
			last := 0
			o.Drain(1, func(r Run) {
				got = append(got, len(r.Bytes))
				last = r.Packets
			})
			if !slices.Equal(got, x.want) {
				t.Errorf("datagrams of %v bytes, want %v", got, x.want)
			}
			if last != x.last {
				t.Errorf("the last datagram says it has %d packets, want %d", last, x.last)
			}
		})
	}
}

func TestDatagramThatWasNotAddedIsNotSent(t *testing.T) {
	var o Outbox
	_ = append(o.Buffer(), "given up"...)
	o.Add(path(1), append(o.Buffer(), "sent"...))
	var got []string
	o.Drain(1, func(r Run) { got = append(got, string(r.Bytes)) })
	if !slices.Equal(got, []string{"sent"}) {
		t.Errorf("sent %q", got)
	}
}

func TestOutboxGivesBackWhatABurstTook(t *testing.T) {
	var o Outbox
	send := func(n int) {
		for range n {
			o.fill(1, 0, 1000)
		}
		o.Drain(1, func(Run) {})
	}
	send(100)
	o.Rest()
	if cap(o.buf) < 100_000 {
		t.Fatal("given back while it is needed")
	}
	send(1)
	o.Rest()
	if cap(o.buf) > rest {
		t.Fatalf("%d bytes kept for 1,000", cap(o.buf))
	}
	send(2 * keep / 1000)
	if cap(o.buf) > keep {
		t.Fatalf("%d bytes kept after a burst", cap(o.buf))
	}
}

func TestSteadyTrafficAllocatesNothing(t *testing.T) {
	var o Outbox
	packet := make([]byte, 100)
	send := func() {
		for range 20 {
			o.Pack(path(1), append(o.Buffer(), packet...))
		}
		o.Drain(RunMax, func(Run) {})
	}
	send()
	if n := testing.AllocsPerRun(100, send); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package antientropy

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func wants(bits uint8, buckets ...uint32) []byte {
	s := wire.SyncWant{Bits: bits}
	for _, b := range buckets {
		s.Add(b)
	}
	return body(wire.AppendSyncWant(nil, wire.MessageID{}, s))
}

func hashes(bits uint8, first uint32, of ...uint64) []byte {
	s := wire.SyncBuckets{Bits: bits, First: first}
	for _, h := range of {
		s.Add(h)
	}
	return encode(s)
}

// PROTOCOL.md Y4.
func TestAnswerIsEntriesThenARequestThenTheRoot(t *testing.T) {
	w := newWorld(t, seq(0, 20), nil)
	a := w.a
	ours := a.BucketHashes(0, 1, 0, 2)
	for _, x := range []struct {
		name   string
		theirs []uint64
		kinds  []Kind
	}{
		{"equal", ours, []Kind{SendRoot}},
		{"one bucket differs", []uint64{ours[0], 7}, []Kind{SendEntries, SendWant, SendRoot}},
		{"one bucket is empty there", []uint64{0, ours[1]}, []Kind{SendEntries, SendRoot}},
	} {
		out, err := a.HandleBuckets(nil, w.now, &a.Peer, &a.Table, hashes(1, 0, x.theirs...), room)
		var kinds []Kind
		for _, o := range out {
			kinds = append(kinds, o.Kind)
		}
		if err != nil || !slices.Equal(kinds, x.kinds) {
			t.Errorf("%s: %v, %v, want %v", x.name, kinds, err, x.kinds)
		}
		for _, o := range out {
			for _, m := range o.Entries {
				if b := members.Bucket(m.ID, 1); x.theirs[b] == ours[b] {
					t.Errorf("%s: sent %v of a bucket that is equal", x.name, m)
				}
			}
		}
	}
}

func TestRequestsFitTheRoom(t *testing.T) {
	w := newWorld(t, seq(0, 3000), nil)
	other := make([]uint64, 1<<10)
	for i := range other {
		other[i] = 1
	}
	out, err := w.a.HandleBuckets(nil, w.now, &w.a.Peer, &w.a.Table, hashes(10, 0, other...), 400)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, o := range out {
		if o.Kind == SendWant {
			if n := len(wire.AppendSyncWant(nil, wire.MessageID{}, o.Want)); n > 400 {
				t.Errorf("a request of %d bytes", n)
			}
			for i := range o.Want.Len() {
				if o.Want.At(i) != uint32(asked) {
					t.Fatalf("bucket %d, want %d", o.Want.At(i), asked)
				}
				asked++
			}
		}
	}
	if asked != 1<<10 {
		t.Errorf("%d buckets asked for", asked)
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	w := newWorld(t, seq(0, 20), nil)
	a := w.a
	for _, data := range [][]byte{nil, {1}, hashes(bitsMax+1, 0, 1), hashes(1, 1, 1, 2), hashes(1, 1<<31, 1)} {
		if out, err := a.HandleBuckets(nil, w.now, &a.Peer, &a.Table, data, room); !errors.Is(err, ErrMalformed) || out != nil {
			t.Errorf("buckets %x: %v, %v", data, out, err)
		}
	}
	for _, data := range [][]byte{nil, {1}, wants(bitsMax+1, 0), wants(1, 2), wants(1, 1<<31)} {
		if out, err := a.HandleWant(nil, w.now, &a.Peer, &a.Table, data, room); !errors.Is(err, ErrMalformed) || out != nil {
			t.Errorf("request %x: %v, %v", data, out, err)
		}
	}
}

func TestPartsOfOnePeerAreBounded(t *testing.T) {
	w := newWorld(t, seq(0, 20), nil)
	answered := 0
	for i := range 400 { // 10 ms apart: 4 s
		var err error
		if i%2 == 0 {
			_, err = w.a.HandleBuckets(nil, w.now, &w.a.Peer, &w.a.Table, hashes(1, 0, 0, 0), room)
		} else {
			_, err = w.a.HandleWant(nil, w.now, &w.a.Peer, &w.a.Table, wants(1, 0), room)
		}
		if err == nil {
			answered++
		} else if !errors.Is(err, ErrTooMany) {
			t.Fatal(err)
		}
		if i%20 == 19 {
			w.now = w.now.Add(time.Millisecond)
		}
	}
	if answered < parts || answered > 2*parts {
		t.Errorf("%d of 400 answered", answered)
	}
	var other Peer
	if _, err := w.a.HandleWant(nil, w.now, &other, &w.a.Table, wants(1, 0), room); err != nil {
		t.Errorf("another peer: %v", err)
	}
}

// Many peers that ask at once get a few members each, and different ones (PROTOCOL.md Y5).
func TestAnswersOfAllPeersTogetherAreBounded(t *testing.T) {
	w := newWorld(t, seq(0, 299), nil)
	a := w.a
	total, full := 0, 0
	firsts := map[wire.NodeID]bool{}
	for range 1200 {
		var p Peer
		out, err := a.HandleWant(nil, w.now, &p, &a.Table, wants(0, 0), room)
		w.a.must(err)
		if len(out) == 0 && total >= sentMax {
			continue
		}
		if len(out) != 1 || len(out[0].Entries) != 300 {
			t.Fatalf("%v", out)
		}
		switch o := &out[0]; o.Max {
		case AnswersMax:
			full++
			if !slices.IsSortedFunc(o.Entries, func(x, y *members.Entry) int {
				return int(members.Bucket(x.ID, 14)) - int(members.Bucket(y.ID, 14))
			}) {
				t.Fatal("entries that do not all go out are not in the order of the buckets")
			}
		case answersFew:
			firsts[o.Entries[0].ID] = true
		}
		total += out[0].Max
		a.Sent(out[0].Max)
	}
	if full != sentMany/AnswersMax {
		t.Errorf("%d peers were answered in full", full)
	}
	if total < sentMax || total >= sentMax+answersFew {
		t.Errorf("%d messages, want %d", total, sentMax)
	}
	if len(firsts) < 200 {
		t.Errorf("the answers of %d began with %d different members", sentMax/answersFew, len(firsts))
	}
	w.now = w.now.Add(window)
	if out, _ := a.HandleWant(nil, w.now, new(Peer), &a.Table, wants(0, 0), room); out[0].Max != AnswersMax {
		t.Errorf("%d messages in the next window", out[0].Max)
	}
}

// PROTOCOL.md Y5.
func TestRequestIsAnsweredWithWhatWasKnownAtTheComparison(t *testing.T) {
	w := newWorld(t, seq(0, 20), nil)
	a := w.a
	w.now = w.now.Add(time.Second)
	a.Begin(nil, w.now, &a.Peer, &a.Table, room)
	w.now = w.now.Add(time.Second)
	for _, i := range seq(100, 130) {
		a.learn(i) // the peer's own answer
	}
	out, err := a.HandleWant(nil, w.now, &a.Peer, &a.Table, wants(0, 0), room)
	a.must(err)
	if len(out) != 1 || len(out[0].Entries) != 21 {
		t.Fatalf("%v, want the 21 entries of before", out)
	}
}

func FuzzAnswersOfAnyMessage(f *testing.F) {
	f.Add(hashes(3, 0, 1, 2, 3), wants(2, 1, 2))
	f.Add([]byte{}, []byte{0xff})
	f.Add(hashes(3, 0), wants(3))
	f.Add(hashes(14, 1<<14), wants(14))
	f.Fuzz(func(t *testing.T, buckets, want []byte) {
		w := newWorld(t, seq(0, 40), nil)
		out, err := w.a.HandleBuckets(nil, w.now, &w.a.Peer, &w.a.Table, buckets, room)
		if err != nil && len(out) > 0 {
			t.Errorf("%v and %v", out, err)
		}
		if err == nil && out[len(out)-1].Kind != SendRoot {
			t.Error("no root ends the answer")
		}
		out, err = w.a.HandleWant(nil, w.now, &w.a.Peer, &w.a.Table, want, room)
		for _, o := range out {
			w.a.must(err)
			if o.Kind != SendEntries || len(o.Entries) > w.a.Count() {
				t.Errorf("%v", o)
			}
		}
	})
}

func BenchmarkRequestOfAllMembers(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, seq(0, n), nil)
			a := w.a
			want := wants(0, 0)
			for b.Loop() {
				w.now = w.now.Add(window)
				if out, err := a.HandleWant(nil, w.now, &a.Peer, &a.Table, want, room); err != nil || len(out) != 1 {
					b.Fatal(len(out), err)
				}
			}
		})
	}
}

// PROTOCOL.md Y5. Otherwise a request of 40 bytes costs as much as the table is large.
func TestRequestOfAllMembersIsAnsweredWithABoundedNumberOfThem(t *testing.T) {
	const n, most = 20_000, AnswersMax * room / entryMin
	w := newWorld(t, seq(0, n), nil)
	for name, want := range map[string][]byte{"in one bucket": wants(0, 0), "in two buckets": wants(1, 0, 1)} {
		w.now = w.now.Add(window)
		out, err := w.a.HandleWant(nil, w.now, &w.a.Peer, &w.a.Table, want, room)
		if err != nil || len(out) != 1 {
			t.Fatalf("%s: %d outcomes, %v", name, len(out), err)
		}
		if got := len(out[0].Entries); got != most {
			t.Errorf("%s: %d entries, want %d", name, got, most)
		}
		last := uint64(0)
		for _, m := range out[0].Entries {
			if h := members.Hash(m.ID); h < last {
				t.Fatalf("%s: %v is not in the order of buckets", name, m)
			} else {
				last = h
			}
		}
	}
}

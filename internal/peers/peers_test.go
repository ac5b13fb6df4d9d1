package peers

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestHandshakeMakesOneSessionAtBothEnds(t *testing.T) {
	w := newWorld(t)
	ofA, ofB := w.dial()
	for _, end := range []struct {
		n    *node
		p    *Peer
		name string
	}{{w.a, ofA, "b"}, {w.b, ofB, "a"}} {
		if got := end.n.Sessions(); got != 1 {
			t.Errorf("%d sessions with %q, want 1", got, end.name)
		}
		if end.p.Sessions.Current(w.now) == nil {
			t.Errorf("nothing can be sealed for %q", end.name)
		}
		if end.n.confirmed != 1 {
			t.Errorf("%d sessions with %q were confirmed, want 1", end.n.confirmed, end.name)
		}
		if end.p.Zone.Name != "z" {
			t.Errorf("%q is in zone %q, want z", end.name, end.p.Zone.Name)
		}
		end.p.Packets.Widen(w.now)
		if got := end.p.Packets.Path().Tick(w.now, 0).Probe; got != 1300 {
			t.Errorf("datagrams of up to %d bytes are sent to %q, which takes 1300", got, end.name)
		}
	}
	if a, b := w.a.Stats(), w.b.Stats(); a.Started != 1 || a.Initiated != 1 || b.Accepted != 1 {
		t.Errorf("counted %+v and %+v", a, b)
	}
}

func TestControlReachesThePeerAtOnce(t *testing.T) {
	w := newWorld(t)
	ofA, ofB := w.dial()
	w.a.take()
	w.b.take()
	if !w.a.SendControl(w.now, ofA, []byte("to b")) || !w.b.SendControl(w.now, ofB, []byte("to a")) {
		t.Error("a short plaintext does not fit into a datagram")
	}
	w.a.deliver()
	w.b.deliver()
	w.a.receives([]byte("to a"))
	w.b.receives([]byte("to b"))
}

func TestControlThatNoDatagramHoldsIsLeftToTheCaller(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	w.b.take()
	if w.a.SendControl(w.now, ofA, make([]byte, 1301)) {
		t.Error("it fits")
	}
	w.a.deliver()
	w.b.receives()
}

func TestControlWithoutAUsableSessionIsDroppedAndCounted(t *testing.T) {
	w := newWorld(t)
	p := w.a.establish(&handshake.Established{Peer: goID(9), Handshake: wire.HandshakeID{9}, Path: pathOf(9)}) // nothing has confirmed it
	w.a.drain()
	if !w.a.SendControl(w.now, p, []byte("lost")) {
		t.Error("the caller is asked to send it in pieces")
	}
	if sent := w.a.drain(); len(sent) != 0 {
		t.Errorf("%d datagrams were sent", len(sent))
	}
	if got := w.a.Stats().UnknownSession; got != 1 {
		t.Errorf("%d packets were counted, want 1", got)
	}
}

func TestPacketThatDoesNotOpenIsDroppedAndCounted(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	w.a.SendControl(w.now, ofA, []byte("once"))
	w.a.deliver()
	w.b.take()
	stats := w.b.Stats()
	for _, c := range []struct {
		name  string
		edit  func(*wire.Packet)
		count *uint64
	}{
		{"replayed", func(*wire.Packet) {}, &stats.Replayed},
		{"of another sender", func(p *wire.Packet) { p.Sender = goID(7) }, &stats.Forged},
		{"of no session", func(p *wire.Packet) { p.Box.Nonce[0]++ }, &stats.UnknownSession},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p wire.Packet
			if err := wire.ParsePacket(&p, bytes.Clone(w.b.lastPacket)); err != nil {
				t.Fatal(err)
			}
			c.edit(&p)
			before := *c.count
			if w.b.open(w.a.path, &p) {
				t.Error("it opens")
			}
			if *c.count != before+1 {
				t.Errorf("counted %d times", *c.count-before)
			}
		})
	}
	w.b.receives()
}

func TestHandshakesThatRepeatLeaveFourSessionsAtMost(t *testing.T) {
	w := newWorld(t)
	for range session.MaxSessions + 2 {
		w.dial()
	}
	for _, n := range []*node{w.a, w.b} {
		if got := n.Sessions(); got != session.MaxSessions {
			t.Errorf("%d sessions, want %d", got, session.MaxSessions)
		}
		if got := len(n.Sorted()); got != 1 {
			t.Errorf("%d peers, want 1", got)
		}
	}
}

func TestHandshakeThatNobodyAnswersFails(t *testing.T) {
	w := newWorld(t)
	w.b.lost = true
	w.a.dial(w.b.path)
	w.run(time.Minute)
	if len(w.a.failed) != 1 || w.a.failed[0] != handshake.ErrNoAnswer {
		t.Errorf("failures: %v", w.a.failed)
	}
	if got := len(w.a.Sorted()); got != 0 {
		t.Errorf("%d peers are left", got)
	}
}

func TestPeerThatSaysWhoItIsGetsBoxesBeforeItsSessionIsConfirmed(t *testing.T) {
	block := handshake.Block{HasVersions: true}
	for _, c := range []struct {
		name  string
		e     handshake.Established
		other bool // another session is usable
		want  bool
	}{
		{"answered", handshake.Established{Block: block}, false, true},
		{"without versions", handshake.Established{}, false, false},
		{"legacy", handshake.Established{Block: block, Legacy: true}, false, false},
		{"with another session", handshake.Established{Block: block}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.e.Peer, c.e.Path = w.b.id, w.b.path
			var p *Peer
			if c.other {
				p, _ = w.dial()
			} else {
				p = w.a.addPeer(&c.e)
			}
			s := w.a.Establish(w.now, p, &c.e)
			if got := w.a.SealEarly(w.now, p, s, &c.e); got != c.want {
				t.Errorf("sealed early: %v, want %v", got, c.want)
			}
			if usable := p.Sessions.Current(w.now) == s; usable != c.want {
				t.Errorf("boxes are sealed under the session: %v, want %v", usable, c.want)
			}
		})
	}
}

// peersAt adds n peers that were heard at the given times, in seconds, and returns them.
func (n *node) peersAt(heard ...int) (list []*Peer) {
	for i, s := range heard {
		p := n.establish(&handshake.Established{Peer: goID(byte(i + 10)), Handshake: wire.HandshakeID{byte(i)}, Prefix: [16]byte{byte(i + 1)}, Path: pathOf(byte(i + 10))})
		p.heard = epoch.Add(time.Duration(s) * time.Second)
		list = append(list, p)
	}
	return list
}

func TestPeerWithoutALinkThatWasSilentLongestGivesWay(t *testing.T) {
	w := newWorld(t)
	list := w.a.peersAt(5, 1, 2, 2)
	list[1].Packets.SetLinked(w.now, true)
	if old := w.a.MakeRoom(w.now, 1); old != nil {
		t.Errorf("%v gives way although there is room", old.ID)
	}
	links := len(list) - UnlinkedMax // so that the number of peers without a link is at its maximum
	for _, want := range []*Peer{list[2], list[3], list[0]} {
		old := w.a.MakeRoom(w.now, links)
		if old != want {
			t.Fatalf("%v gives way, want %v", old.ID, want.ID)
		}
		if old.Sessions.Len() != 0 {
			t.Errorf("%v still has sessions", old.ID)
		}
		w.a.Remove(old)
		links--
	}
	if got := w.a.Sessions(); got != 1 {
		t.Errorf("%d sessions are left, want 1", got)
	}
}

func TestPeersAreSortedByID(t *testing.T) {
	w := newWorld(t)
	want := w.a.peersAt(4, 3, 2, 1, 0)
	if got := w.a.Sorted(); !slices.Equal(got, want) {
		t.Errorf("%d peers in another order", len(got))
	}
}

func TestRefusedDatagramEndsTheSearchForALargerSizeOrPausesSending(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	ofA.Packets.Widen(w.now)
	ofA.Packets.TickPath(w.now) // a probe of a larger size is in progress
	w.a.Refused(w.now, pathOf(77), 1300, true)
	if !ofA.Packets.Path().NextTimeout().After(w.now) {
		t.Error("a datagram to another address ends the probe")
	}
	w.a.Refused(w.now, w.b.path, 1300, true)
	if at := ofA.Packets.Path().NextTimeout(); !at.Equal(w.now) {
		t.Errorf("the answer to the probe that was refused is waited for until %v", at)
	}
	w.a.Refused(w.now, w.b.path, 500, false)
	if wait := ofA.Packets.Pace().Wait(w.now, 500); wait != 0 {
		t.Errorf("a peer without a link waits %v", wait)
	}
	ofA.Packets.SetLinked(w.now, true)
	w.a.Refused(w.now, w.b.path, 500, false)
	if wait := ofA.Packets.Pace().Wait(w.now, 500); wait == 0 {
		t.Error("sending to a linked peer does not pause")
	}
}

func TestPacketsThatNeverArriveAreCounted(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	w.b.lost = true
	for range 3 {
		w.a.SendControl(w.now, ofA, []byte("lost"))
		w.a.deliver()
	}
	w.b.lost = false
	for range session.WindowSize + 10 {
		w.a.SendControl(w.now, ofA, []byte("arrives"))
		w.a.deliver()
	}
	if got := w.b.Lost(); got != 3 {
		t.Errorf("%d packets are lost, want 3", got)
	}
}

package legacy

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// status makes the peer old-9 report that another gwyh 0.1 node is up or down.
func (w *world) status(i, of int, up bool) {
	w.say(i, wire.Peer{ID: legacyID(of), Addr: addr(1000 + of)}, up)
}

func (w *world) say(i int, of wire.Peer, up bool) {
	w.do(append(w.out, Outcome{Kind: StatusArrived, Status: wire.MessageID{byte(i), 6: 0x40, 15: 1}, From: legacyID(9), Of: of, Up: up}))
}

func TestStatusThatANodeIsUpIsPassedOnAndFollowedIfTheNodeIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.member(1)
	w.status(1, 1, true)
	w.wantLog("pass on old-1 up true except to old-9")
	w.status(2, 2, true)
	w.wantLog("pass on old-2 up true except to old-9")
	w.run(AttemptWithin)
	w.wantLog("dial old-2 at 10.0.3.234:6969")
	w.run(attemptLasts)
	if jobs, attempts := w.g.Load(); jobs != 0 || attempts != 0 {
		t.Errorf("%d jobs, %d attempts are left", jobs, attempts)
	}
}

func TestStatusThatANodeIsDownIsPassedOnIfItIsNoMember(t *testing.T) {
	w := newWorld(t)
	w.status(1, 1, false)
	w.wantLog("pass on old-1 up false except to old-9")
}

// PROTOCOL.md L6.
func TestStatusThatAPeerIsDownIsCheckedFirst(t *testing.T) {
	w := newWorld(t)
	w.known(1)
	w.status(1, 1, false)
	w.wantLog("ask about old-1 by go-0 except nobody", "ping old-1")
	w.run(checkPings * framePause)
	if w.count("pass on old-1 up false except to old-9") != 1 || w.count("dead old-1") != 1 {
		t.Errorf("%q", w.log)
	}
}

func TestStatusThatAMemberWithoutASessionIsDownIsIgnored(t *testing.T) {
	w := newWorld(t)
	w.member(1)
	w.status(1, 1, false)
	p := w.known(2)
	w.contact[p.id].Session = false
	w.status(2, 2, false)
	w.wantLog()
}

// PROTOCOL.md L3.
func TestStatusOfAGoNodeIsPassedOnOnlyIfItIsTrue(t *testing.T) {
	for what, c := range map[string]struct {
		member, up, elsewhere bool
		want                  int
	}{
		"up, and a member":            {member: true, up: true, want: 1},
		"up, at another address":      {member: true, up: true, elsewhere: true},
		"down, but a member":          {member: true},
		"down, and not a member":      {want: 1},
		"up, and not a member":        {up: true},
		"down, a member, other place": {member: true, elsewhere: true},
	} {
		w := newWorld(t)
		if c.member {
			w.goMember(3)
		}
		of := wire.Peer{ID: goID(3), Addr: addr(3)}
		if c.elsewhere {
			of.Addr = addr(4)
		}
		w.say(1, of, c.up)
		if got := w.count("pass on go-3"); got != c.want || len(w.log) != got {
			t.Errorf("%s: %q", what, w.log)
		}
	}
}

func TestUnknownGoNodeIsMetByItsID(t *testing.T) {
	w := newWorld(t)
	w.say(1, wire.Peer{ID: goID(3), Addr: addr(3)}, true)
	w.run(AttemptWithin)
	w.wantLog("meet go-3 at 10.0.0.3:6969")
}

func TestHintsAboutGoNodesAreFollowedAFewAtATime(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.say(i, wire.Peer{ID: goID(100 + i), Addr: addr(100 + i)}, true)
	}
	w.run(AttemptWithin)
	if got := w.count("meet"); got != HintRate.Burst || w.g.Stats.Excess != uint64(100-got) {
		t.Errorf("%d met, %+v", got, w.g.Stats)
	}
}

func TestAddressesThatAreTriedAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.status(i, 100+i, true)
	}
	if _, attempts := w.g.Load(); attempts != AttemptsMax || w.g.Stats.Excess != 200-AttemptsMax {
		t.Errorf("%d attempts, %+v", attempts, w.g.Stats)
	}
	w.run(AttemptWithin)
	if got := w.count("dial"); got != AttemptsMax {
		t.Errorf("%d were dialed", got)
	}
	w.run(attemptLasts)
	if _, attempts := w.g.Load(); attempts != 0 {
		t.Errorf("%d attempts are left", attempts)
	}
}

func TestAddressForWhichNoJobIsLeftIsNotTried(t *testing.T) {
	w := newWorld(t)
	for range JobsMax {
		w.g.later(w.now, time.Hour, job{task: askList, peer: w.peer(1)})
	}
	w.status(1, 2, true)
	if _, attempts := w.g.Load(); attempts != 0 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestAddressesThatNoNodeMayHaveAreNotTried(t *testing.T) {
	for what, c := range map[string]struct {
		at     netip.AddrPort
		excess uint64
	}{
		"this node's own":     {addr(0), 1},
		"none":                {netip.AddrPort{}, 1},
		"no port":             {netip.AddrPortFrom(addr(3).Addr(), 0), 1},
		"another family":      {netip.MustParseAddrPort("[2001:db8::1]:7"), 0},
		"not allowed":         {netip.MustParseAddrPort("192.0.2.1:7"), 0},
		"its own, but mapped": {netipMapped(addr(0)), 1},
	} {
		w := newWorld(t, func(c *Config) {
			c.Allow = func(a netip.Addr) bool { return netip.MustParsePrefix("10.0.0.0/8").Contains(a) }
		})
		w.say(1, wire.Peer{ID: legacyID(3), Addr: c.at}, true)
		if jobs, _ := w.g.Load(); jobs != 0 {
			t.Errorf("%s: %d things are to be done later", what, jobs)
		}
		if w.g.Stats.Excess != c.excess || w.g.Stats.Address != 1-c.excess {
			t.Errorf("%s: counted %+v", what, w.g.Stats)
		}
	}
}

func TestNodeThatAnotherNodeReachedFirstIsNotTried(t *testing.T) {
	for what, change := range map[string]func(w *world){
		"a member":       func(w *world) { w.member(2) },
		"dialing":        func(w *world) { w.dialing[legacyID(2)] = true },
		"this node left": func(w *world) { w.table.Leave(w.now) },
	} {
		w := newWorld(t)
		w.status(1, 2, true)
		w.log = nil
		change(w)
		w.run(AttemptWithin)
		if _, attempts := w.g.Load(); len(w.log) != 0 || attempts != 0 {
			t.Errorf("%s: %q, %d attempts", what, w.log, attempts)
		}
	}
}

func TestDownAboutThisNodeIsAnsweredByNewHandshakesOnceInTenSeconds(t *testing.T) {
	w := newWorld(t)
	linked := w.known(1)
	w.known(2)
	w.g.SetLinked(w.g.Peer(legacyID(2)), false)
	w.member(3)
	self := wire.Peer{ID: goID(0), Addr: addr(0)}
	w.say(1, self, true)
	w.wantLog()
	for i := range 3 {
		w.say(2+i, self, false)
	}
	w.wantLog("called down")
	said := w.now
	w.run(RefuteMin - time.Millisecond)
	w.wantLog()
	w.run(RefuteMax - RefuteMin + 2*time.Millisecond)
	w.wantLog("shake hands with old-1")
	if !linked.forgot {
		t.Error("it does not subscribe anew")
	}
	w.say(9, self, false)
	w.wantLog("called down")
	w.run(said.Add(RefuteMin + RefuteInterval).Sub(w.now))
	w.wantLog()
	w.run(RefuteMax)
	w.wantLog("shake hands with old-1")
}

func TestNodeThatLeftDoesNotContradictThatItIsDown(t *testing.T) {
	w := newWorld(t)
	w.known(1)
	w.say(1, wire.Peer{ID: goID(0), Addr: addr(0)}, false)
	w.table.Leave(w.now)
	w.log = nil
	w.run(RefuteMax)
	w.wantLog()
}

// PROTOCOL.md L5.
func TestSeedIsAskedOnceForTheNodesThatItKnows(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	for range 3 {
		w.g.AskSeed(w.now, p)
	}
	w.run(listAfter - time.Millisecond)
	w.wantLog()
	w.run(time.Hour)
	w.wantLog("PeerList to old-1")
}

func TestSeedsAreAskedOneAfterAnother(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.g.AskSeed(w.now, w.known(i))
	}
	var at []time.Duration
	for len(at) < 3 {
		if w.run(listPause / 2); w.count("PeerList") > 0 {
			at = append(at, w.now.Sub(begin))
			w.log = nil
		}
	}
	if want := []time.Duration{listAfter, listAfter + listPause, listAfter + 2*listPause}; !slices.Equal(at[:3], want) {
		t.Errorf("asked at %v, want %v", at[:3], want)
	}
}

func TestNodeThatKnowsEnoughGoNodesAsksNoSeed(t *testing.T) {
	w := newWorld(t)
	w.g.AskSeed(w.now, w.known(1))
	for i := range w.g.cfg.Subscriptions {
		w.goMember(1 + i)
	}
	w.run(time.Minute)
	w.wantLog()
}

func TestSeedThatIsGoneIsNotAsked(t *testing.T) {
	w := newWorld(t)
	p := w.known(1)
	w.g.AskSeed(w.now, p)
	w.g.RemovePeer(p)
	w.run(time.Minute)
	w.wantLog()
}

func TestNodeThatKnowsNoOtherGoNodeAsksForPeersMoreAndMoreRarely(t *testing.T) {
	w := newWorld(t)
	w.known(1)
	w.known(2)
	w.member(3) // without a session
	asked := func(d time.Duration) (count int) {
		for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(time.Second) {
			w.do(w.g.AskAgain(w.out, w.now, w, &w.table, Members(&w.table)))
		}
		count = w.count("PeerList")
		w.log = nil
		return count
	}
	if got := asked(10 * time.Minute); got < 3 || got > 4 {
		t.Errorf("%d times in ten minutes", got)
	}
	if got := asked(20 * time.Minute); got < 3 || got > 5 {
		t.Errorf("%d times in the next twenty minutes", got)
	}
	w.goMember(1)
	if got := asked(time.Hour); got != 0 {
		t.Errorf("%d times although it knows another Go node", got)
	}
}

func TestNodeWithoutASessionAsksNobody(t *testing.T) {
	w := newWorld(t)
	w.member(1)
	for range 10 {
		w.do(w.g.AskAgain(w.out, w.now, w, &w.table, Members(&w.table)))
		w.now = w.now.Add(time.Hour)
	}
	w.wantLog()
}

// asked returns a peer that this node has just asked for the nodes it knows.
func asked(t *testing.T) (*world, *Peer) {
	w := newWorld(t)
	p := w.known(1)
	w.do(w.g.askForPeers(w.out, w.now, &w.table, p))
	w.log = nil
	return w, p
}

func peersOf(t *testing.T, list ...wire.Peer) []byte {
	t.Helper()
	var m wire.Message
	if _, err := wire.ParseMessage(&m, wire.AppendPeers(nil, wire.MessageID{1}, list)); err != nil {
		t.Fatal(err)
	}
	return m.Data
}

func TestNodesThatASeedKnowsAreMet(t *testing.T) {
	w, p := asked(t)
	w.goMember(5)
	w.receivePeers(p, peersOf(t, wire.Peer{ID: goID(3), Addr: addr(3)}, wire.Peer{ID: legacyID(4), Addr: addr(1004)},
		wire.Peer{ID: goID(0), Addr: addr(0)}, wire.Peer{ID: goID(5), Addr: addr(5)}))
	w.run(AttemptWithin)
	w.wantCounts(map[string]int{"meet 10.0.0.3:6969": 1, "dial old-4": 1, "": 2})
}

func TestListOfPeersThatWasNotAskedForIsIgnored(t *testing.T) {
	w, p := asked(t)
	list := peersOf(t, wire.Peer{ID: goID(3), Addr: addr(3)})
	w.now = w.now.Add(listAnswer + 1)
	w.receivePeers(p, list)
	w.now = w.now.Add(-listAnswer - 1)
	w.receivePeers(w.peer(2), list)
	w.run(AttemptWithin)
	w.wantLog()
}

func TestMalformedListOfPeersIsCounted(t *testing.T) {
	w, p := asked(t)
	w.receivePeers(p, []byte{0xff, 0xff, 0xff})
	if w.g.Stats.Malformed != 1 {
		t.Errorf("%+v", w.g.Stats)
	}
}

func TestAddressOfAnotherFamilyIsNotRepresentable(t *testing.T) {
	v4, v6 := addr(1), netip.MustParseAddrPort("[2001:db8::1]:7")
	for _, c := range []struct {
		peer, of netip.AddrPort
		want     bool
	}{
		{v4, addr(2), true}, {v4, v6, false}, {v6, v4, false}, {v6, v6, true}, {v4, netipMapped(addr(2)), true}, {netipMapped(v4), addr(2), true},
		{v4, netip.AddrPort{}, false}, {v4, netip.AddrPortFrom(v4.Addr(), 0), false},
	} {
		if got := Representable(c.peer, c.of); got != c.want {
			t.Errorf("%s to %s: %t", c.of, c.peer, got)
		}
	}
}
